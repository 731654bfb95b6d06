// Runs beside the sound: makes frames of 16-bit samples of one channel, and posts `null` after the last.

class Capture extends AudioWorkletProcessor {
  #frame;
  #filled = 0;
  #stopped = false;

  constructor({ processorOptions }) {
    super();
    this.#frame = new Int16Array(Math.round(sampleRate / processorOptions.framesASecond));
    this.port.onmessage = () => this.#stop();
  }

  process([channels]) {
    const samples = channels[0]?.length ?? 0;
    for (let at = 0; at < samples && !this.#stopped; at += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[at];
      this.#take(sum / channels.length);
    }
    return !this.#stopped;
  }

  #take(sample) {
    this.#frame[this.#filled] = Math.max(-1, Math.min(1, sample)) * 32767;
    this.#filled += 1;
    if (this.#filled === this.#frame.length) this.#post();
  }

  #post() {
    this.port.postMessage(this.#frame.slice(0, this.#filled));
    this.#filled = 0;
  }

  #stop() {
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#filled > 0) this.#post();
    this.port.postMessage(null);
  }
}

registerProcessor("capture", Capture);
