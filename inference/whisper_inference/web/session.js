// Who uses the page. The token is in this object's memory alone: no cookie, no storage, no address has it.

import { Refused, Unreachable } from "./errors.js";

const AUTH = "api/v1/auth";
const KEEP_ALIVE_MILLISECONDS = 5 * 60 * 1000;

export class Session {
  #token = null;
  #opened = false;

  get token() {
    return this.#token;
  }

  // Returns whose credential it is, with the role.
  async logIn(username, password) {
    const { token } = await this.ask(`${AUTH}/login`, { method: "POST", body: JSON.stringify({ username, password }) });
    return this.#use(token, true);
  }

  async useKey(key) {
    return this.#use(key, false);
  }

  // Forgets the token, and lets the server forget the session that it belonged to.
  async logOut() {
    const [token, opened] = [this.#token, this.#opened];
    this.forget();
    if (!opened) return; // a key has no session
    const headers = { Authorization: `Bearer ${token}` };
    await fetch(`${AUTH}/logout`, { method: "POST", headers, credentials: "omit", keepalive: true }).catch(() => {});
  }

  forget() {
    this.#token = null;
    this.#opened = false;
  }

  // Somebody who speaks is not idle: until the function that is returned is called, the session does not end for that.
  keepAlive() {
    const timer = setInterval(() => this.ask(`${AUTH}/me`).catch(() => {}), KEEP_ALIVE_MILLISECONDS);
    return () => clearInterval(timer);
  }

  // The answer's body; throws `Refused` or `Unreachable`.
  async ask(path, options = {}) {
    const headers = options.body === undefined ? {} : { "Content-Type": "application/json" };
    if (this.#token !== null) headers.Authorization = `Bearer ${this.#token}`;
    const answer = await fetch(path, { ...options, headers, credentials: "omit", cache: "no-store" }).catch(() => {
      throw new Unreachable("The server cannot be reached; try again in a moment.");
    });
    const body = await answer.json().catch(() => ({}));
    if (answer.ok) return body;
    throw new Refused(body.error ?? { message: `The server answered with ${answer.status}; try again in a moment.` });
  }

  async #use(token, opened) {
    this.#token = token;
    this.#opened = opened;
    try {
      return await this.ask(`${AUTH}/me`);
    } catch (problem) {
      this.forget();
      throw problem;
    }
  }
}
