"""From a job's recording to its transcript: piece after piece, each kept when it is done."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

from whisper_inference.arrays import FloatArray
from whisper_inference.audio.decoding import decode_blocks
from whisper_inference.audio.features import SAMPLE_RATE
from whisper_inference.errors import Overloaded, StoreUnavailable
from whisper_inference.jobs.job import Job, UnixTime
from whisper_inference.jobs.parts import join_parts, read_part, write_part
from whisper_inference.jobs.pieces import cut_into_pieces, off_the_loop
from whisper_inference.jobs.queue import JobQueue
from whisper_inference.quotas.meter import Meter
from whisper_inference.transcriber import Transcriber
from whisper_inference.transcription import Seconds, Transcript, TranscriptionOptions

_PATIENCE_SECONDS: Final[Seconds] = 600.0
"""Whatever people wait for goes first for so long; then a job's window has its turn, however busy the server is."""
_LOOK_SECONDS: Final = 0.5
_LONGEST_WAIT_SECONDS: Final = 5.0

ResultT = TypeVar("ResultT")


@dataclass(slots=True)
class Attempt:
    """One worker at one job."""

    job: Job
    holder: str
    progress: float = 0.0


class JobWork:
    """Transcribes recordings of any length, with what the people who wait leave of the engine."""

    def __init__(self, queue: JobQueue, transcriber: Transcriber, meter: Meter) -> None:
        self._queue, self._transcriber, self._meter = queue, transcriber, meter

    async def transcribe(self, attempt: Attempt) -> Transcript:
        """Transcribe a job's recording, from where an earlier worker left it.

        Raises:
            WhisperError: The recording is refused, the engine failed, or the server drains.
        """
        with closing(await insist(partial(self._queue.fetch_audio, attempt.job))) as file:
            parts = await self._kept_parts(attempt.job)
            blocks = decode_blocks(file, self._queue.policy.audio)
            async with off_the_loop(cut_into_pieces(blocks)) as pieces:
                index = 0
                async for samples in pieces:
                    if index >= len(parts):
                        parts.append(await self._transcribe_piece(attempt.job, samples, parts))
                        await self._keep(attempt, index, parts[index])
                    index += 1
                    attempt.progress = _share(attempt.job, sum(part.duration for part in parts[:index]))
        return join_parts(parts)

    async def _kept_parts(self, job: Job) -> list[Transcript]:
        parts: list[Transcript] = []
        for index in range(job.parts):
            kept = await insist(partial(self._queue.find_part, job, index))
            if kept is None:
                break
            parts.append(read_part(kept))
        return parts

    async def _keep(self, attempt: Attempt, index: int, part: Transcript) -> None:
        def got_on(job: Job, _now: UnixTime) -> Job | None:
            return job.got_on(attempt.holder, index + 1)

        await insist(partial(self._queue.keep_part, attempt.job, index, write_part(part)))
        await insist(partial(self._queue.change, attempt.job.id, got_on))

    async def _transcribe_piece(self, job: Job, samples: FloatArray, before: list[Transcript]) -> Transcript:
        options = _continued(job.order.options, before)
        metered = partial(self._meter.metered, job.consumer)
        while True:
            pause = _LOOK_SECONDS
            if self._transcriber.has_spare_room(len(samples) / SAMPLE_RATE):
                try:
                    return await self._transcriber.transcribe(samples, options, metered, patience=_PATIENCE_SECONDS)
                except Overloaded as full:
                    pause = min(full.retry_after_seconds, _LONGEST_WAIT_SECONDS)
            await asyncio.sleep(pause)


async def insist(ask: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Ask the store until it answers: a worker goes on when the store comes back."""
    while True:
        try:
            return await ask()
        except StoreUnavailable as away:
            await asyncio.sleep(away.retry_after_seconds)


def _continued(options: TranscriptionOptions, before: list[Transcript]) -> TranscriptionOptions:
    """The language that was heard first is that of the whole recording."""
    heard = next((part.language for part in before if part.segments), None)
    return options if options.language is not None or heard is None else replace(options, language=heard)


def _share(job: Job, done: Seconds) -> float:
    return 0.0 if job.expected_seconds is None else min(done / job.expected_seconds, 0.99)
