// One stream of docs/streaming.md: sound goes out, messages come in, and it ends in one way.

import { Refused, Unreachable } from "./errors.js";

const PROTOCOL = "whisper.v1";
const MOST_WAITING_BYTES = 1 << 18;
const LOOK_MILLISECONDS = 20;
const QUIET_MILLISECONDS = 20_000; // the server says something every 5 seconds: nobody is there any more

export class Stream {
  #socket;
  #ready = Promise.withResolvers();
  #done = Promise.withResolvers();
  #problem = null;
  #closed = null;
  #quiet = null;

  // `first` is the first message, with the token; `tell` is called with every other message of the server.
  constructor(first, tell) {
    const address = new URL("api/v1/stream", document.baseURI);
    address.protocol = address.protocol.replace("http", "ws");
    this.#socket = new WebSocket(address, PROTOCOL);
    this.#socket.addEventListener("open", () => this.#send(first));
    this.#socket.addEventListener("message", ({ data }) => this.#hear(JSON.parse(data), tell));
    this.#socket.addEventListener("close", () => this.#end());
    this.#watch();
    this.#ready.promise.catch(() => {}); // `done` tells it, too
  }

  // Resolves when the server takes sound, with what it says of itself.
  get ready() {
    return this.#ready.promise;
  }

  // Resolves with the server's totals, or the reason `left`; rejects with `Refused` or `Unreachable`.
  get done() {
    return this.#done.promise;
  }

  // Sends a frame once the frames before are on their way: what the network does not take waits at its source.
  async send(frame) {
    while (this.open && this.#socket.bufferedAmount > MOST_WAITING_BYTES) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MILLISECONDS));
    }
    if (this.open) this.#socket.send(frame);
  }

  // There will be no more sound: the server sends what is left, and closes.
  finish() {
    if (this.open) this.#send({ type: "finish" });
  }

  // Ends it at once.
  leave() {
    this.#closed = { reason: "left" };
    this.#socket.close();
  }

  // Gives it up.
  fail(problem) {
    this.#problem ??= problem;
    this.#socket.close();
    this.#end(); // a connection that nobody answers closes late
  }

  // Whether sound can be sent.
  get open() {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  #watch() {
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.fail(null), QUIET_MILLISECONDS);
  }

  #send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #hear(message, tell) {
    this.#watch();
    if (message.type === "ready") this.#ready.resolve(message);
    else if (message.type === "error") this.#problem = new Refused(message.error);
    else if (message.type === "closed") this.#closed = message;
    else tell(message);
  }

  #end() {
    clearTimeout(this.#quiet);
    if (this.#closed !== null) {
      this.#done.resolve(this.#closed);
      return;
    }
    const problem = this.#problem ?? new Unreachable("The connection was lost. What was said is kept: start again to go on.");
    this.#ready.reject(problem);
    this.#done.reject(problem);
  }
}
