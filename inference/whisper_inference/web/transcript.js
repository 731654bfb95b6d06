// What was said so far, over any number of streams: one begins in time where the one before ended.

const NOTHING = { start: 0, end: 0, stable_text: "", unstable_text: "" };

export class Transcript {
  segments = [];
  partial = NOTHING;
  #began = 0;
  #heard = 0;

  get seconds() {
    return this.#began + this.#heard;
  }

  // Another stream begins: its times count from here.
  begin() {
    this.#began = this.seconds;
    this.#heard = 0;
  }

  // Sound was sent.
  hear(seconds) {
    this.#heard += seconds;
  }

  partly(message) {
    this.partial = message;
  }

  // A segment became final; it takes the place of the partial that it grew from. It is returned as it was kept.
  settle({ start, end, text }) {
    this.partial = NOTHING;
    const segment = { start: this.#began + start, end: this.#began + end, text };
    this.segments.push(segment);
    return segment;
  }

  // The stream is over. What nobody will make final any more stays as it was last heard.
  end() {
    const { start, end, stable_text, unstable_text } = this.partial;
    const text = stable_text + unstable_text;
    return text.trim() === "" ? null : this.settle({ start, end, text });
  }
}
