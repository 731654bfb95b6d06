"""When words become stable: our session beside WhisperLiveKit's LocalAgreement, on the same engine and speech.

WhisperLiveKit's `OnlineASRProcessor` is that of whisper_streaming (Macháček et al. 2023), which is in no registry. Its
class is loaded from the wheel alone, without the rest of the package, and asks our engine for words with times. Time is
processor time: sound goes on while something is decoded, and nothing else that the machine does counts.
"""

import asyncio
import importlib
import sys
import time
import types
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from prometheus_client import CollectorRegistry

from tests.benchmarks.streams.capacity import word_error_rate
from tests.benchmarks.streams.figures import percentile
from tests.benchmarks.streams.speech import SAMPLE_RATE, Speech
from whisper_inference.arrays import FloatArray
from whisper_inference.audio.features import log_mel_spectrogram
from whisper_inference.audio.silero import CHUNK_SAMPLES, SileroStream, load_silero
from whisper_inference.composition import Services, open_services
from whisper_inference.decoding.long_form import SpokenAudio
from whisper_inference.decoding.window import decode_window
from whisper_inference.decoding.windows import FRAMES_PER_WINDOW, WindowInput, WindowTranscript
from whisper_inference.guard import withhold_invented
from whisper_inference.model_loading import load_model
from whisper_inference.observability.metrics import Metrics
from whisper_inference.scheduler import WindowWork
from whisper_inference.settings import ServerSettings
from whisper_inference.streaming.events import Final as FinalText
from whisper_inference.streaming.events import Partial, StreamEvent, StreamOptions
from whisper_inference.streaming.recognizer import Recognizer
from whisper_inference.streaming.session import StreamSession
from whisper_inference.streaming.sound import SAMPLES_PER_FRAME
from whisper_inference.transcription import TranscriptionOptions

_CHUNK: Final = SAMPLE_RATE
"""New sound between two hypotheses of WhisperLiveKit's, its own default, and of ours."""
_OPTIONS: Final = TranscriptionOptions(language="en")


@dataclass(frozen=True, slots=True)
class Policy:
    """What became of a speech."""

    name: str
    core_seconds_per_second: float
    """Of speech and pauses."""
    windows_per_second: float
    stable_p50: float
    """Seconds from a word's end to when it can change no more."""
    stable_p95: float
    word_error_rate: float


@dataclass(slots=True)
class Stopwatch:
    """The time that it would be, if nothing else ran."""

    now: float = 0.0
    busy: float = 0.0
    windows: int = 0
    stable: list[tuple[float, str]] = field(default_factory=list)
    """What became stable, and when."""

    async def run(self, work: Awaitable[Any]) -> Any:  # noqa: ANN401 - whatever the work returns
        """Do something; the clock goes on by the processor time that it takes."""
        began = time.process_time()
        result = await work
        took = time.process_time() - began
        self.now, self.busy = self.now + took, self.busy + took
        return result

    def tell(self, text: str) -> None:
        """This will change no more."""
        if text.strip():
            self.stable.append((self.now, text))

    def judge(self, name: str, speech: Speech) -> Policy:
        """Compare with what was said."""
        moments = [at for at, text in self.stable for _ in text.split()]
        delays = [at - end for at, end in zip(moments, speech.word_ends, strict=False)]
        return Policy(
            name,
            self.busy / speech.seconds,
            self.windows / speech.seconds,
            percentile(delays, 50),
            percentile(delays, 95),
            word_error_rate([speech.text], ["".join(text for _, text in self.stable)]),
        )


async def compare_policies(model: Path, speech: Speech, folder: Path) -> list[Policy]:
    """Run both, one after the other.

    Args:
        model: The checkpoint.
        speech: What is said.
        folder: Where WhisperLiveKit's wheel was unpacked.
    """
    settings = ServerSettings(model=str(model), device="cpu", threads=1)
    samples = np.frombuffer(speech.sound, "<i2").astype(np.float32) / np.float32(32768)
    samples = samples[: len(samples) // CHUNK_SAMPLES * CHUNK_SAMPLES]
    with ThreadPoolExecutor(1) as threads:
        async with open_services(settings, load_model, Metrics(CollectorRegistry())) as services:
            ours = await _run_ours(services, samples, threads)
            theirs = await _run_theirs(services, samples, folder)
    return [
        ours.judge("this server's session", speech),
        theirs.judge("WhisperLiveKit's LocalAgreement", speech),
    ]


async def _run_ours(services: Services, samples: FloatArray, threads: Executor) -> Stopwatch:
    watch, told, heard = Stopwatch(), 0, 0
    session = StreamSession(StreamOptions(_OPTIONS), services.model, withhold_invented)
    activity = SileroStream(load_silero())
    features = partial(log_mel_spectrogram, mel_bins=services.model.dimensions.mel_bins)
    recognizer = Recognizer(services.scheduler, services.model, features, threads, time.monotonic, lambda _: None)

    async def hear(piece: FloatArray) -> None:
        session.hear(piece, activity.listen(piece))

    while not session.done:
        stop = min(len(samples), int(watch.now * SAMPLE_RATE) // CHUNK_SAMPLES * CHUNK_SAMPLES)
        if stop > heard:
            await watch.run(hear(samples[heard:stop]))
            heard = stop
        if heard == len(samples):
            session.finish()
        excerpt = session.next_excerpt()
        if excerpt is None:
            watch.now += CHUNK_SAMPLES / SAMPLE_RATE
            continue
        watch.windows += 1
        for event in session.understood(await watch.run(recognizer.recognize(excerpt, _OPTIONS))):
            told = _tell(watch, event, told)
    return watch


def _tell(watch: Stopwatch, event: StreamEvent, told: int) -> int:
    """Note what is new and stable; return how many of its letters are not final yet."""
    match event:
        case Partial():
            watch.tell(event.stable[told:])
            return len(event.stable)
        case FinalText():
            watch.tell(event.segment.text[told:])
            return max(0, told - len(event.segment.text))
        case _:
            return told


class _Backend:
    """What WhisperLiveKit's class asks of a recognizer."""

    sep = ""
    tokenizer = None
    confidence_validation = False
    buffer_trimming = "segment"
    buffer_trimming_sec = 15

    def __init__(self, services: Services, loop: asyncio.AbstractEventLoop, token: Callable[..., Any]) -> None:
        self._services, self._loop, self._token = services, loop, token
        self.windows = 0

    def transcribe(self, samples: FloatArray, init_prompt: str) -> WindowTranscript:
        """Decode all that is kept."""
        self.windows += 1
        prompt = self._services.model.tokenizer.encode(init_prompt)
        return asyncio.run_coroutine_threadsafe(self._decode(samples, prompt), self._loop).result()

    async def _decode(self, samples: FloatArray, prompt: Sequence[int]) -> WindowTranscript:
        model = self._services.model
        samples = samples.astype(np.float32)
        frames = min(FRAMES_PER_WINDOW, -(-len(samples) // SAMPLES_PER_FRAME))
        log_mel = SpokenAudio(log_mel_spectrogram(samples, model.dimensions.mel_bins), frames).window(0, frames)
        window = WindowInput(log_mel, 0, frames, "en", tuple(prompt), heard_once=True)
        options = TranscriptionOptions(language="en", word_timestamps=True, temperatures=(0.0,))
        decoding = decode_window(window, model, options)
        return await self._services.scheduler.decode(WindowWork(log_mel, decoding, time.monotonic()))

    def ts_words(self, heard: WindowTranscript) -> list[Any]:
        """Return the words with their times."""
        return [self._token(word.start, word.end, word.text) for each in heard.segments for word in each.words]

    def segments_end_ts(self, heard: WindowTranscript) -> list[float]:
        """Return where segments end."""
        return [each.end for each in heard.segments]


async def _run_theirs(services: Services, samples: FloatArray, folder: Path) -> Stopwatch:
    online, timed = _load_whisperlivekit(folder)
    watch, heard = Stopwatch(), 0
    backend = _Backend(services, asyncio.get_running_loop(), timed.ASRToken)
    processor = online.OnlineASRProcessor(backend)
    while heard < len(samples):
        stop = min(len(samples), int(watch.now * SAMPLE_RATE))
        if stop - heard < _CHUNK and stop < len(samples):
            watch.now = (heard + _CHUNK) / SAMPLE_RATE
            continue
        processor.insert_audio_chunk(samples[heard:stop])
        heard = stop
        committed, _ = await watch.run(asyncio.to_thread(processor.process_iter))
        watch.tell("".join(token.text for token in committed))
    watch.tell("".join(token.text for token in processor.finish()[0]))
    watch.windows = backend.windows
    return watch


def _load_whisperlivekit(folder: Path) -> tuple[types.ModuleType, types.ModuleType]:
    """Load two of its modules; its package would load torch and a web server with them."""
    package = types.ModuleType("whisperlivekit")
    package.__path__ = [str(folder / "whisperlivekit")]
    sys.modules["whisperlivekit"] = package
    timed = importlib.import_module("whisperlivekit.timed_objects")
    return importlib.import_module("whisperlivekit.local_agreement.online_asr"), timed
