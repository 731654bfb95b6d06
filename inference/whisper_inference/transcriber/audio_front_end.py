"""From an upload to features: decodes, listens for voices and computes the spectrogram, off the event loop."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from whisper_inference.arrays import FloatArray
from whisper_inference.decoding.long_form import SpokenAudio
from whisper_inference.decoding.windows import FRAMES_PER_SECOND
from whisper_inference.transcriber.front_end import PreparedAudio, Source, Span

SAMPLE_RATE = 16_000
"""What Whisper hears, in samples per second."""


@dataclass(frozen=True, slots=True)
class AudioSteps:
    """What is done to an upload. Each may be called on several threads at once."""

    decode: Callable[[Source], FloatArray]
    """To `[samples]` float32, 16 kHz mono, with every limit: `audio.decoding.decode_audio`."""
    find_speech: Callable[[FloatArray], Sequence[Span]]
    """Where somebody speaks: `audio.voice_activity`."""
    features: Callable[[FloatArray], FloatArray]
    """`[mel_bins, frames]` float32 with 30 s of padding: `audio.features.log_mel_spectrogram`."""
    mel_bins: int


class ThreadedFrontEnd:
    """Prepares a bounded number of uploads at once, each on a thread of its own pool.

    A cancelled caller goes at once. What still waits for a thread is then never decoded; what is being decoded comes
    to its end within the limits and keeps its thread until then, so the bound holds.
    """

    def __init__(self, steps: AudioSteps, workers: int = 2) -> None:
        self._steps = steps
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="whisper-audio")

    async def prepare(self, source: Source, *, find_speech: bool) -> PreparedAudio:
        """Decode an upload and compute its features; see `FrontEnd`."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._prepare, source, find_speech)

    def close(self) -> None:
        """Let the threads go; uploads that wait are dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _prepare(self, source: Source, find_speech: bool) -> PreparedAudio:  # noqa: FBT001 - executors pass by position
        samples = self._steps.decode(source)
        speech = tuple(self._steps.find_speech(samples)) if find_speech else None
        silent = speech is not None and not speech
        no_frames = np.empty((self._steps.mel_bins, 0), dtype=np.float32)
        log_mel = no_frames if silent else self._steps.features(samples)
        frames = len(samples) * FRAMES_PER_SECOND // SAMPLE_RATE
        return PreparedAudio(len(samples) / SAMPLE_RATE, SpokenAudio(log_mel, frames), speech)
