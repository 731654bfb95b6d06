"""Drives the windows of one request through the scheduler: one after the other, or all at once."""

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from whisper_inference.decoding.long_form import Windows, batched, sequential
from whisper_inference.decoding.window import decode_window
from whisper_inference.decoding.windows import (
    FRAMES_PER_SECOND,
    FRAMES_PER_WINDOW,
    DecodingModel,
    WindowInput,
    WindowTranscript,
)
from whisper_inference.scheduler import Admission, Scheduler, WindowWork
from whisper_inference.transcriber.front_end import PreparedAudio
from whisper_inference.transcriber.option_checks import rows_needed
from whisper_inference.transcription import Seconds, TranscriptionOptions

WINDOW_SECONDS: Seconds = FRAMES_PER_WINDOW / FRAMES_PER_SECOND


def charge(duration: Seconds) -> Seconds:
    """Return what the backlog counts for so much audio: whole windows, since a short one costs the engine as much."""
    return max(1, math.ceil(duration / WINDOW_SECONDS)) * WINDOW_SECONDS


@dataclass(frozen=True, slots=True)
class RequestWindows:
    """One admitted request's way to the engine."""

    scheduler: Scheduler
    admission: Admission
    model: DecodingModel
    options: TranscriptionOptions
    arrived: Seconds
    """When the request came, on the scheduler's clock: its windows are due as if the audio were played from then."""

    async def decode(self, audio: PreparedAudio) -> AsyncGenerator[WindowTranscript, None]:
        """Yield what is heard in each window, in the order of the audio, as soon as it is known."""
        if self.options.long_form == "batched":
            results = self._all_at_once(list(batched(audio.sound, audio.speech or (), self.model, self.options)))
        else:
            results = self._one_by_one(sequential(audio.sound, self.model, self.options))
        async with aclosing(results):
            async for heard in results:
                yield heard

    async def _one_by_one(self, windows: Windows) -> AsyncGenerator[WindowTranscript, None]:
        window = next(windows, None)
        while window is not None:
            heard = await self._decode_window(window)
            yield heard
            try:
                window = windows.send(heard)
            except StopIteration:
                return

    async def _all_at_once(self, windows: Sequence[WindowInput]) -> AsyncGenerator[WindowTranscript, None]:
        language = self.options.language
        if language is None and len(windows) > 1:
            # The first window says which language it is, as it does one by one; the others must not each guess.
            first, *windows = windows
            heard = await self._decode_window(first)
            language = heard.language
            yield heard
        tasks = [asyncio.create_task(self._decode_window(replace(window, language=language))) for window in windows]
        try:
            for task in tasks:
                yield await task
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _decode_window(self, window: WindowInput) -> WindowTranscript:
        deadline = self.arrived + window.seek / FRAMES_PER_SECOND
        decoding = decode_window(window, self.model, self.options)
        work = WindowWork(window.log_mel, decoding, deadline, rows_needed(self.options))
        heard = await self.scheduler.decode(work)
        self.admission.advance(WINDOW_SECONDS)
        return heard
