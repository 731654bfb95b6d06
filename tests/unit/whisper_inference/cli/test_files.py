"""Many files through one transcriber: order, company, and what happens to the bad ones."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from whisper_inference.cli.files import Outcome, TranscribeFile, transcribe_each
from whisper_inference.errors import UnreadableAudio
from whisper_inference.transcription import Transcript

FILES = [Path("a.wav"), Path("b.wav"), Path("c.wav")]


def transcript() -> Transcript:
    return Transcript("transcribe", "en", 2.0, ())


def outcomes_of(
    transcribe: TranscribeFile, files: Sequence[Path] = FILES, *, in_flight: int = 4, full_disk: bool = False
) -> tuple[list[Outcome], list[Path]]:
    delivered: list[Path] = []

    def deliver(file: Path, _: Transcript) -> None:
        if full_disk:
            raise OSError(28, "No space left on device", "out/a.txt")
        delivered.append(file)

    async def collect() -> list[Outcome]:
        ticks = iter(range(1000))
        each = transcribe_each(files, transcribe, deliver, in_flight=in_flight, clock=lambda: float(next(ticks)))
        async with aclosing(each):
            return [outcome async for outcome in each]

    return asyncio.run(collect()), delivered


def test_files_are_delivered_in_their_order_whichever_is_done_first() -> None:
    async def transcribe(file: Path) -> Transcript:
        await asyncio.sleep({"a.wav": 0.02, "b.wav": 0.01, "c.wav": 0.0}[file.name])
        return transcript()

    outcomes, delivered = outcomes_of(transcribe)
    assert delivered == FILES == [outcome.file for outcome in outcomes]
    assert all(outcome.transcript for outcome in outcomes)


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (UnreadableAudio("The file breaks off."), "The file breaks off."),
        (FileNotFoundError(2, "No such file or directory", "b.wav"), "No such file or directory."),
        (IsADirectoryError(21, "Is a directory", "b.wav"), "Is a directory."),
        (OSError("nothing more is known"), "nothing more is known."),
    ],
)
def test_a_bad_file_is_named_and_the_others_go_on(problem: Exception, sentence: str) -> None:
    async def transcribe(file: Path) -> Transcript:
        if file.name == "b.wav":
            raise problem
        return transcript()

    outcomes, delivered = outcomes_of(transcribe)
    assert delivered == [FILES[0], FILES[2]]
    assert [outcome.problem for outcome in outcomes] == [None, sentence, None]


def test_a_transcript_that_cannot_be_written_is_a_problem_of_its_file() -> None:
    async def transcribe(file: Path) -> Transcript:
        del file
        return transcript()

    outcomes, _ = outcomes_of(transcribe, FILES[:1], full_disk=True)
    assert [outcome.problem for outcome in outcomes] == ["out/a.txt: No space left on device."]
    assert outcomes[0].transcript is None


def test_only_so_many_files_are_open_at_once() -> None:
    open_files, most = 0, 0

    async def transcribe(file: Path) -> Transcript:
        nonlocal open_files, most
        del file
        open_files += 1
        most = max(most, open_files)
        await asyncio.sleep(0)
        open_files -= 1
        return transcript()

    outcomes_of(transcribe, [Path(f"{number}.wav") for number in range(9)], in_flight=2)
    assert most == 2


def test_leaving_early_cancels_what_is_still_running() -> None:
    cancelled: list[str] = []

    async def transcribe(file: Path) -> Transcript:
        try:
            await asyncio.sleep(0 if file.name == "a.wav" else 60)
        except asyncio.CancelledError:
            cancelled.append(file.name)
            raise
        return transcript()

    async def leave_early() -> None:
        each = transcribe_each(FILES, transcribe, lambda *_: None, in_flight=4, clock=lambda: 0.0)
        async with aclosing(each):
            await anext(each)

    asyncio.run(leave_early())
    assert sorted(cancelled) == ["b.wav", "c.wav"]


def test_an_error_that_nobody_foresaw_is_not_hidden() -> None:
    async def transcribe(file: Path) -> Transcript:
        raise ZeroDivisionError(file.name)

    with pytest.raises(ZeroDivisionError):
        outcomes_of(transcribe)
