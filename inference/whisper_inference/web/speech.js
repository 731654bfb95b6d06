// One speech over as many connections as it takes: what is lost with one is said to the next again.

import { Refused, Unreachable } from "./errors.js";
import { Said } from "./said.js";
import { Stream } from "./stream.js";

const [FIRST_PAUSE, LONGEST_PAUSE] = [200, 5000]; // milliseconds
const MOST_WAITING_BYTES = 1 << 22; // while nobody takes them: 43 seconds of 48 kHz in 16 bits

export class Speech {
  #start;
  #listener;
  #said = new Said();
  #sent = 0;
  #over = false; // no more sound comes
  #leaving = Promise.withResolvers();
  #left = false;
  #stream = null;
  #ready = null; // the last message of this type
  #connected = false;
  #finals = 0;
  #drained = null; // what a server said that stops
  #lostSince = null;
  #pause = FIRST_PAUSE;
  #changed = Promise.withResolvers();

  // `start` is the first message, with the token. `opened` of the listener is called with what each server says of itself,
  // `lost` when a connection is lost that another one takes the place of, and `hear` with all other messages.
  constructor(start, listener) {
    this.#start = start;
    this.#listener = listener;
  }

  // Resolves at the end with the server's totals, or the reason `left`; rejects when nobody goes on with it.
  async run() {
    try {
      let closed = await this.#connect({ type: "start", ...this.#start });
      while (closed === null) closed = await this.#connect(this.#resume());
      return closed;
    } finally {
      this.leave();
    }
  }

  // Says a frame; resolves once it is on its way for the first time, or waits for a server with not too many others.
  async send(frame) {
    const end = this.#said.add(frame);
    this.#change();
    const waits = () => this.#sent < end && (this.#connected || end - this.#sent > MOST_WAITING_BYTES);
    while (!this.#left && waits()) await this.#changed.promise;
  }

  // There will be no more sound.
  finish() {
    this.#over = true;
    this.#change();
  }

  // Ends it at once.
  leave() {
    this.#left = true;
    this.#leaving.resolve();
    this.#stream?.leave();
    this.#change();
  }

  #resume() {
    const { token } = this.#start;
    return { type: "resume", token, resume_token: this.#ready.resume_token, finals: this.#finals };
  }

  // Returns how it ended, or `null` when another connection has to go on with it.
  async #connect(first) {
    const stream = new Stream(first, (message) => this.#hear(message));
    this.#stream = stream;
    stream.ready.then((ready) => this.#speak(stream, ready)).catch(() => {}); // `done` tells it, too
    try {
      const closed = await this.#end(stream);
      if (closed.reason !== "drain") return closed;
      this.#drained = closed;
      await this.#wait(0);
    } catch (problem) {
      if (this.#drained !== null && problem.code === "stream_not_found") return this.#drained; // it could go nowhere
      await this.#waitAfter(problem);
    }
    return this.#left ? { reason: "left" } : null;
  }

  async #end(stream) {
    try {
      return await stream.done;
    } finally {
      this.#connected = false;
      this.#change();
    }
  }

  // Says what the server has not heard, and then what comes.
  async #speak(stream, ready) {
    [this.#ready, this.#drained, this.#lostSince, this.#pause] = [ready, null, null, FIRST_PAUSE];
    this.#connected = true;
    this.#listener.opened(ready);
    let position = ready.from_byte;
    if (!this.#said.holds(position)) {
      const message = "The connection was lost for too long: some sound is not kept any more. Start again to go on.";
      stream.fail(new Refused({ message, code: "too_old", retry_after: null }));
    }
    while (stream.open) {
      const bytes = this.#said.from(position);
      if (bytes !== null) {
        await stream.send(bytes);
        position += bytes.length;
        this.#sent = Math.max(this.#sent, position);
        this.#change();
      } else if (this.#over) {
        stream.finish();
        return;
      } else {
        await this.#changed.promise;
      }
    }
  }

  #hear(message) {
    if (message.type === "final") this.#finals = Math.max(this.#finals, message.id + 1);
    this.#listener.hear(message);
  }

  async #waitAfter(problem) {
    const now = performance.now();
    this.#lostSince ??= now;
    const again = problem instanceof Unreachable || problem.retryAfter !== null;
    if (this.#ready === null || !again || now - this.#lostSince > this.#ready.limits.resume_seconds * 1000) throw problem;
    const pause = this.#pause * (0.5 + Math.random() / 2);
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
    await this.#wait(Math.max(pause, 1000 * (problem.retryAfter ?? 0)));
  }

  async #wait(milliseconds) {
    this.#listener.lost();
    await Promise.race([new Promise((resolve) => setTimeout(resolve, milliseconds)), this.#leaving.promise]);
  }

  #change() {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
