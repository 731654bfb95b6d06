// What may go wrong, in sentences for people.

// The server's own sentence and code; `code` is what programs tell errors apart by.
export class Refused extends Error {
  constructor({ message, code, retry_after: retryAfter }) {
    super(message);
    this.code = code;
    this.retryAfter = retryAfter ?? null; // seconds; `null` where trying again does not help
  }

  // The credential is good no more, or never was.
  get signedOut() {
    return this.code === "invalid_api_key";
  }
}

// The server cannot be spoken to.
export class Unreachable extends Error {}
