// Where sound comes from: a rate, and a stream of frames of a tenth of a second, 16-bit samples of one channel.

const FILE_RATE = 16_000; // what models hear; the browser resamples
const FRAMES_A_SECOND = 10;
const MOST_WAITING_FRAMES = 60 * FRAMES_A_SECOND;
const [LOWEST_RATE, HIGHEST_RATE] = [8_000, 48_000]; // of the protocol
const MICROPHONE = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: true };

// Sound as it is spoken. `rate` is the device's own; `tell` is called with a sentence if it must be switched off.
export class Microphone {
  #tell;
  #context;
  #tracks;
  #capture;

  static async open(tell) {
    if (navigator.mediaDevices === undefined) {
      throw new Error("Browsers give the microphone to pages of HTTPS or of this very machine alone: use such an address.");
    }
    const media = await navigator.mediaDevices.getUserMedia({ audio: MICROPHONE }).catch((problem) => {
      throw new Error(whyNoMicrophone(problem));
    });
    const context = makeContext();
    await context.audioWorklet.addModule("web/capture.js");
    await context.resume();
    return new Microphone(context, media, tell);
  }

  constructor(context, media, tell) {
    this.#tell = tell;
    this.rate = context.sampleRate;
    this.#context = context;
    this.#tracks = media.getTracks();
    this.#capture = new AudioWorkletNode(context, "capture", { processorOptions: { framesASecond: FRAMES_A_SECOND } });
    context.createMediaStreamSource(media).connect(this.#capture).connect(context.destination); // silence, which keeps it going
    this.frames = new ReadableStream({ start: (queue) => this.#fill(queue) }, { highWaterMark: MOST_WAITING_FRAMES });
    for (const track of this.#tracks) track.addEventListener("ended", () => this.stop()); // unplugged, or not allowed any more
  }

  // The last frame is what was said up to now.
  stop() {
    for (const track of this.#tracks) track.stop();
    this.#capture.port.postMessage("stop");
  }

  // What waits when there is too much of it is sent all the same; only what would come after it is not heard.
  #fill(queue) {
    let open = true;
    const close = () => {
      if (open) queue.close();
      open = false;
    };
    this.#capture.port.addEventListener("message", ({ data }) => {
      if (data === null) {
        close();
        this.#context.close();
      } else if (open && queue.desiredSize > 0) {
        queue.enqueue(data);
      } else if (open) {
        close();
        this.stop();
        this.#tell("The server was a minute behind the microphone, so it was switched off.");
      }
    });
    this.#capture.port.start();
  }
}

// A file's sound, as fast as it is taken, or as fast as it plays.
export class SoundFile {
  rate = FILE_RATE;
  #samples;
  #paced;
  #sent = 0;
  #stopped = false;

  static async open(file, paced) {
    const decoder = new OfflineAudioContext(1, 1, FILE_RATE);
    const content = await file.arrayBuffer();
    const sound = await decoder.decodeAudioData(content).catch(() => {
      throw new Error("This browser cannot read the file: choose WAV, MP3, FLAC, Ogg, M4A or WebM.");
    });
    return new SoundFile(mix(sound), paced);
  }

  constructor(samples, paced) {
    this.#samples = samples;
    this.#paced = paced;
    const began = performance.now();
    this.frames = new ReadableStream({ pull: (queue) => this.#fill(queue, began) }, { highWaterMark: 1 });
  }

  stop() {
    this.#stopped = true;
  }

  async #fill(queue, began) {
    const due = began + (this.#sent / FILE_RATE) * 1000;
    if (this.#paced) await new Promise((resolve) => setTimeout(resolve, due - performance.now()));
    const frame = this.#samples.subarray(this.#sent, this.#sent + FILE_RATE / FRAMES_A_SECOND);
    this.#sent += frame.length;
    if (this.#stopped || frame.length === 0) queue.close();
    else queue.enqueue(Int16Array.from(frame, (sample) => Math.max(-1, Math.min(1, sample)) * 32767));
  }
}

// How loud a frame is, in decibels below the loudest.
export function loudness(frame) {
  const power = frame.reduce((sum, sample) => sum + sample * sample, 0) / frame.length;
  return 10 * Math.log10(power / 32768 ** 2 + 1e-10);
}

function makeContext() {
  const own = new AudioContext();
  if (own.sampleRate >= LOWEST_RATE && own.sampleRate <= HIGHEST_RATE) return own;
  own.close();
  return new AudioContext({ sampleRate: HIGHEST_RATE });
}

function whyNoMicrophone({ name }) {
  if (name === "NotAllowedError") return "The microphone is not allowed to this page: allow it in the browser, and start again.";
  if (name === "NotFoundError") return "There is no microphone: plug one in, or choose a file.";
  return "The microphone cannot be used: another program may have it.";
}

function mix(sound) {
  const mixed = sound.getChannelData(0);
  for (let channel = 1; channel < sound.numberOfChannels; channel += 1) {
    const other = sound.getChannelData(channel);
    for (let at = 0; at < mixed.length; at += 1) mixed[at] += other[at];
  }
  return sound.numberOfChannels === 1 ? mixed : mixed.map((sample) => sample / sound.numberOfChannels);
}
