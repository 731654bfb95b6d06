// The page: what its buttons do, and what it shows of a stream.

import { Session } from "./session.js";
import { loudness, Microphone, SoundFile } from "./sound.js";
import { Speech } from "./speech.js";
import { FORMATS } from "./subtitles.js";
import { minutes, Text } from "./text.js";
import { Transcript } from "./transcript.js";

const find = (id) => document.getElementById(id);

const ENDINGS = {
  finished: "Done.",
  idle: "The server heard nothing for a while and ended the stream. Start again to go on.",
  longest: "The stream was as long as one may be. Start again to go on.",
  left: "Stopped.",
  drain: "The server stops, and has finished what it heard. Start again to go on with another one.",
};
const [LISTENS, FINISHES] = ["Listening.", "The last words are on their way."];
const [AT_REST, OPENING, CONNECTING, LISTENING, FINISHING] = ["at rest", "opening", "connecting", "listening", "finishing"];
const SPEAK = {
  [AT_REST]: "Start the microphone",
  [OPENING]: "Opening",
  [CONNECTING]: "Cancel",
  [LISTENING]: "Stop",
  [FINISHING]: "Stop now",
};

class Page {
  #session = new Session();
  #transcript = new Transcript();
  #text = new Text();
  #state = AT_REST;
  #source = null;
  #speech = null;
  #saved = true;

  constructor() {
    this.#onSubmit("account", () => this.#session.logIn(find("username").value, find("password").value));
    this.#onSubmit("program", () => this.#session.useKey(find("key").value));
    find("log-out").addEventListener("click", () => this.#logOut());
    find("speak").addEventListener("click", () => this.#speak());
    find("file").addEventListener("change", () => this.#readFile());
    find("clear").addEventListener("click", () => this.#clear());
    for (const button of document.querySelectorAll("[data-format]")) {
      button.addEventListener("click", () => this.#save(button.dataset.format));
    }
    window.addEventListener("pagehide", () => this.#logOut());
    window.addEventListener("beforeunload", (event) => {
      if (!this.#saved) event.preventDefault(); // the browser asks whether to leave
    });
    this.#showSignedOut();
  }

  // Who uses it

  #onSubmit(id, signIn) {
    find(id).addEventListener("submit", async (event) => {
      event.preventDefault();
      this.#complain("");
      const button = find(id).querySelector("button");
      button.disabled = true; // one click is one attempt
      try {
        this.#showSignedIn(await signIn());
      } catch (problem) {
        this.#complain(problem.message);
        find(id).querySelector("[type=password]").select();
      } finally {
        button.disabled = false;
      }
    });
  }

  #showSignedIn({ name, role }) {
    find("account").reset();
    find("program").reset();
    find("name").textContent = `${name}, ${role}`;
    this.#swap(true);
    find("speak").focus();
    this.#describeModel().catch((problem) => this.#fail(problem));
  }

  #showSignedOut() {
    this.#swap(false);
    find("username").focus();
  }

  #swap(signedIn) {
    find("sign-in").hidden = signedIn;
    find("who").hidden = !signedIn;
    find("controls").hidden = !signedIn;
  }

  #logOut() {
    this.#speech?.leave();
    const ended = this.#session.logOut();
    this.#complain("");
    this.#showSignedOut();
    return ended;
  }

  async #describeModel() {
    const { models } = await this.#session.ask("api/v1/models");
    const [{ name, served_by: served, languages, tasks }] = models;
    this.#showModel(name, served.device);
    const translate = new Option("write it in English", "translate");
    find("task").replaceChildren(find("task").options[0], ...(tasks.includes("translate") ? [translate] : []));
    const named = languages.map((language) => new Option(language.name, language.code));
    named.sort((one, other) => one.text.localeCompare(other.text));
    find("language").replaceChildren(find("language").options[0], ...named);
  }

  #showModel(model, device) {
    find("model").textContent = model;
    find("device").textContent = device;
  }

  // Sound to text

  #speak() {
    if (this.#state === AT_REST) this.#transcribe(() => Microphone.open((sentence) => this.#complain(sentence)));
    else if (this.#state === LISTENING) this.#stop();
    else this.#speech?.leave();
  }

  #readFile() {
    const [file] = find("file").files;
    if (file === undefined) return;
    this.#transcribe(async () => {
      this.#tell("The browser reads the file.");
      return SoundFile.open(file, find("paced").checked);
    });
  }

  async #transcribe(open) {
    this.#complain("");
    this.#enter(OPENING, "");
    const rest = this.#session.keepAlive();
    try {
      this.#source = await open();
      this.#enter(CONNECTING, "Connecting.");
      this.#transcript.begin();
      this.#speech = new Speech(this.#options(), {
        opened: (ready) => this.#listen(ready),
        lost: () => this.#tell("Connecting again. What is said meanwhile is kept for a minute."),
        hear: (message) => this.#hear(message),
      });
      const { reason } = await this.#speech.run();
      this.#enter(AT_REST, ENDINGS[reason] ?? "The server ended the stream.");
    } catch (problem) {
      this.#enter(AT_REST, "");
      this.#fail(problem);
    } finally {
      rest();
      this.#rest();
    }
  }

  #options() {
    return {
      token: this.#session.token,
      audio: { encoding: "pcm_s16le", sample_rate: this.#source.rate },
      language: find("language").value || null,
      task: find("task").value,
    };
  }

  // A server takes sound: the first, or another that goes on.
  #listen({ model, device }) {
    this.#showModel(model, device);
    if (find("language").options.length === 1) this.#describeModel().catch(() => {}); // it was loading before
    if (this.#state === CONNECTING) {
      this.#enter(LISTENING, LISTENS);
      this.#send(this.#speech, this.#source).catch((problem) => this.#stopSending(problem));
    } else {
      this.#tell(this.#state === LISTENING ? LISTENS : FINISHES);
    }
  }

  // Sends sound until there is no more.
  async #send(speech, source) {
    const reader = source.frames.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      find("level").value = loudness(next.value);
      await speech.send(next.value);
      this.#transcript.hear(next.value.length / source.rate);
      find("heard").textContent = minutes(this.#transcript.seconds);
    }
    this.#finish();
  }

  #stop() {
    this.#enter(FINISHING, FINISHES);
    this.#source.stop();
  }

  #finish() {
    if (this.#state === LISTENING) this.#enter(FINISHING, FINISHES);
    if (this.#state === FINISHING) this.#speech.finish(); // it may have been over before
  }

  #stopSending(problem) {
    if (this.#state !== LISTENING && this.#state !== FINISHING) return;
    this.#fail(problem);
    this.#finish();
  }

  #hear(message) {
    if (message.type === "partial") this.#transcript.partly(message);
    else if (message.type === "final") this.#keep(this.#transcript.settle(message));
    else if (message.type === "status") find("lag").textContent = `${message.lag_seconds.toFixed(1)} s`;
    else if (message.type === "drain") this.#tell("The server stops; another one goes on.");
    this.#text.showPartial(this.#transcript.partial);
  }

  #keep(segment) {
    this.#text.add(segment);
    this.#saved = false;
    this.#showWhatIsThere();
  }

  #rest() {
    this.#source?.stop();
    [this.#source, this.#speech] = [null, null];
    const left = this.#transcript.end();
    if (left !== null) this.#keep(left);
    this.#text.showPartial(this.#transcript.partial);
    find("level").value = find("level").min;
    find("lag").textContent = "–";
    find("file").value = "";
  }

  // What was said

  #save(format) {
    const { kind, render } = FORMATS[format];
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([render(this.#transcript.segments)], { type: `${kind};charset=utf-8` }));
    link.download = `transcript.${format}`;
    link.click();
    URL.revokeObjectURL(link.href);
    this.#saved = true;
  }

  #clear() {
    this.#transcript = new Transcript();
    this.#text.clear();
    this.#saved = true;
    find("heard").textContent = "–";
    this.#showWhatIsThere();
  }

  // What is shown

  #enter(state, sentence) {
    this.#state = state;
    this.#tell(sentence);
    find("speak").textContent = SPEAK[state];
    for (const id of ["file", "paced", "language", "task"]) find(id).disabled = state !== AT_REST;
    this.#showWhatIsThere();
  }

  #showWhatIsThere() {
    const empty = this.#transcript.segments.length === 0;
    find("empty").hidden = !empty || this.#state !== AT_REST;
    find("clear").disabled = empty || this.#state !== AT_REST;
    for (const button of document.querySelectorAll("[data-format]")) button.disabled = empty;
  }

  #fail(problem) {
    this.#complain(problem.message);
    if (problem.signedOut !== true) return;
    this.#session.forget();
    this.#showSignedOut();
  }

  #tell(sentence) {
    find("status").textContent = sentence;
  }

  #complain(sentence) {
    find("problem").textContent = sentence;
  }
}

new Page();
