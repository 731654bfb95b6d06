// What was said for a while, in bytes counted from the first, so that it can be said again.

const MOST_BYTES = 1 << 23; // 87 seconds of 48 kHz in 16 bits: more than waits anywhere on its way to what a server keeps

export class Said {
  #frames = []; // each with the byte that it begins with
  #end = 0;

  // Takes a frame in, and returns where it ends.
  add(frame) {
    const bytes = new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength);
    this.#frames.push({ begin: this.#end, bytes });
    this.#end += bytes.length;
    while (this.#end - this.#frames[0].begin > MOST_BYTES) this.#frames.shift();
    return this.#end;
  }

  // Whether what was said from a byte on is all here.
  holds(byte) {
    return byte >= (this.#frames[0]?.begin ?? 0);
  }

  // What was said from a byte on, up to the end of its frame; `null` where nothing was said yet.
  from(byte) {
    const found = this.#frames.find(({ begin, bytes }) => byte < begin + bytes.length);
    return found === undefined ? null : found.bytes.subarray(byte - found.begin);
  }
}
