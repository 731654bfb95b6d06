"""From an excerpt of a stream to what is heard in it, on the engine that files use."""

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace

from whisper_inference.arrays import FloatArray
from whisper_inference.decoding.long_form import SpokenAudio
from whisper_inference.decoding.window import decode_window
from whisper_inference.decoding.windows import FRAMES_PER_WINDOW, DecodingModel, WindowInput, WindowTranscript
from whisper_inference.scheduler import Lane, Scheduler, WindowWork
from whisper_inference.streaming.events import Cut, Excerpt
from whisper_inference.streaming.sound import SAMPLES_PER_FRAME
from whisper_inference.timing import Clock
from whisper_inference.transcription import Seconds, TranscriptionOptions


class Recognizer:
    """Decodes excerpts, ahead of files; whoever has waited longest goes first.

    Args:
        scheduler: Shares the engine.
        model: What the rules must know of the checkpoint.
        features: `[samples]` to `[mel_bins, frames]` with 30 s of padding; called on a thread.
        threads: Where features are computed.
        clock: The scheduler's own.
        told: Called with how long each took that was decoded.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        model: DecodingModel,
        features: Callable[[FloatArray], FloatArray],
        threads: Executor,
        clock: Clock,
        told: Callable[[Seconds], None],
    ) -> None:
        self._told = told
        self._scheduler = scheduler
        self._model = model
        self._features = features
        self._threads = threads
        self._clock = clock

    async def recognize(self, excerpt: Excerpt, options: TranscriptionOptions) -> WindowTranscript:
        """Decode an excerpt.

        Raises:
            WhisperError: The engine failed, or the server drains.
        """
        began = self._clock()
        loop = asyncio.get_running_loop()
        log_mel, frames = await loop.run_in_executor(self._threads, self._hear, excerpt.samples)
        window = WindowInput(
            log_mel=log_mel,
            seek=excerpt.start // SAMPLES_PER_FRAME,
            frames=frames,
            language=excerpt.language,
            prompt_tokens=excerpt.prompt_tokens,
            heard_once=excerpt.cut is not Cut.FULL,
        )
        decoding = decode_window(window, self._model, _at_once(options) if excerpt.cut is Cut.NOW else options)
        heard = await self._scheduler.decode(WindowWork(log_mel, decoding, began, lane=Lane.STREAMS))
        self._told(self._clock() - began)
        return heard

    def _hear(self, samples: FloatArray) -> tuple[FloatArray, int]:
        frames = min(FRAMES_PER_WINDOW, math.ceil(len(samples) / SAMPLES_PER_FRAME))
        return SpokenAudio(self._features(samples), frames).window(0, frames), frames


def _at_once(options: TranscriptionOptions) -> TranscriptionOptions:
    """Decode a hypothesis once: another follows soon, samples never agree, and nobody is told times of its words."""
    return replace(options, temperatures=options.temperatures[:1], word_timestamps=False)
