"""Many files through one transcriber: a bad one is reported and does not stop the others."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from whisper_inference.errors import WhisperError
from whisper_inference.timing import Clock
from whisper_inference.transcriber import Transcriber
from whisper_inference.transcription import Seconds, Segment, Transcript, TranscriptionOptions

Heard: TypeAlias = Callable[[Path, Seconds], None]
"""Told how far into a file its text reaches."""
TranscribeFile: TypeAlias = Callable[[Path], Awaitable[Transcript]]
Deliver: TypeAlias = Callable[[Path, Transcript], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file: a transcript, or a problem."""

    file: Path
    seconds: Seconds
    """How long it took, waiting for other files included."""
    transcript: Transcript | None = None
    problem: str | None = None


def with_transcriber(transcriber: Transcriber, options: TranscriptionOptions, heard: Heard) -> TranscribeFile:
    """Return what transcribes a file with the given options."""

    async def transcribe(file: Path) -> Transcript:
        with file.open("rb") as source:
            async with aclosing(transcriber.stream(source, options)) as items:
                async for item in items:
                    if not isinstance(item, Segment):
                        return item
                    heard(file, item.end)
        raise TypeError("a stream of a transcription ends with its transcript")

    return transcribe


async def transcribe_each(
    files: Sequence[Path], transcribe: TranscribeFile, deliver: Deliver, *, in_flight: int, clock: Clock
) -> AsyncGenerator[Outcome, None]:
    """Transcribe files, some at once, and yield what became of each, in the files' order.

    Args:
        files: What to transcribe.
        transcribe: Does it for one file.
        deliver: Writes one file's transcript, in the files' order, as soon as all before it are done.
        in_flight: Files at once: their windows share the decoder's batch.
        clock: Measures each file.
    """
    places = asyncio.Semaphore(in_flight)

    async def attempt(file: Path) -> Outcome:
        async with places:
            started = clock()
            try:
                transcript = await transcribe(file)
            except (WhisperError, OSError) as problem:
                return Outcome(file, clock() - started, problem=_sentence(problem, file))
            return Outcome(file, clock() - started, transcript)

    tasks = [asyncio.create_task(attempt(file)) for file in files]
    try:
        for task in tasks:
            yield _delivered(await task, deliver)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _delivered(outcome: Outcome, deliver: Deliver) -> Outcome:
    if outcome.transcript is not None:
        try:
            deliver(outcome.file, outcome.transcript)
        except OSError as problem:
            return Outcome(outcome.file, outcome.seconds, problem=_sentence(problem, outcome.file))
    return outcome


def _sentence(problem: WhisperError | OSError, file: Path) -> str:
    if isinstance(problem, WhisperError):
        return str(problem)
    where = f"{problem.filename}: " if problem.filename not in {None, str(file)} else ""
    return f"{where}{problem.strerror or problem}."
