"""Who sends files: in turns, each the next when the last was answered, or at a rate, whatever is answered."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from typing_extensions import override

from tests.benchmarks.load.asking import Answer, Asker, File, load_files

_REFUSED_PAUSE: Final = 0.2
"""Seconds: who sends in turns and finds no room comes back a little later."""


@dataclass(slots=True)
class Tally:
    """What became of the files of a key."""

    seconds: float
    """For how long was counted."""
    times: list[float] = field(default_factory=list)
    """Of each that was transcribed, until its text was there."""
    audio: float = 0.0
    """Of those, in seconds."""
    refusal_times: list[float] = field(default_factory=list)
    """Of each that was answered with 429."""
    without_when: int = 0
    """Of those, answers that do not say when to come back."""
    errors: Counter[str] = field(default_factory=Counter)
    """Whatever else."""

    @override
    def __str__(self) -> str:
        refused = len(self.refusal_times)
        return f"{len(self.times)} files became text, {refused} were answered with 429, errors: {dict(self.errors)}"

    @property
    def goodput(self) -> float:
        """Audio that was transcribed, in seconds for each second."""
        return self.audio / self.seconds

    @property
    def asked(self) -> int:
        """Files that were answered, one way or another."""
        return len(self.times) + len(self.refusal_times) + self.errors.total()

    def take(self, file: File, answer: Answer) -> None:
        """Count an answer."""
        match answer.status:
            case HTTPStatus.OK:
                self.times.append(answer.seconds)
                self.audio += file.seconds
            case HTTPStatus.TOO_MANY_REQUESTS:
                self.refusal_times.append(answer.seconds)
                self.without_when += answer.retry_after is None
            case status:
                self.errors[str(status)] += 1

    def add(self, more: "Tally") -> None:
        """Add what was counted in the same seconds."""
        self.times += more.times
        self.audio += more.audio
        self.refusal_times += more.refusal_times
        self.without_when += more.without_when
        self.errors += more.errors


def together(tallies: Sequence[Tally]) -> Tally:
    """Add up what was counted in the same seconds."""
    whole = Tally(tallies[0].seconds)
    for each in tallies:
        whole.add(each)
    return whole


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends the files of a key, and counts from a time (`time.monotonic`) on for so many seconds."""

    url: str
    key: str
    begin: float
    seconds: float

    def in_turns(self, users: int) -> Tally:
        """Let so many send one file after another."""
        return asyncio.run(self._in_turns(users))

    def at_a_rate(self, rate: float, before: float) -> Tally:
        """Send so many files a second, and begin with it some seconds before: they fill the queues."""
        return asyncio.run(self._at_a_rate(rate, before))

    @property
    def _end(self) -> float:
        return self.begin + self.seconds

    async def _in_turns(self, users: int) -> Tally:
        tally = Tally(self.seconds)
        await _sleep_until(self.begin)
        work = [asyncio.create_task(self._user(number, tally)) for number in range(users)]
        await _sleep_until(self._end)
        await _leave(work)
        return tally

    async def _user(self, number: int, tally: Tally) -> None:
        asker = Asker(self.url, self.key)
        for file in _files(number):
            refused = len(tally.refusal_times)
            await _ask(asker, file, tally)
            if len(tally.refusal_times) > refused:
                await asyncio.sleep(_REFUSED_PAUSE)

    async def _at_a_rate(self, rate: float, before: float) -> Tally:
        counted, uncounted = Tally(self.seconds), Tally(before)
        idle: list[Asker] = []
        work: set[asyncio.Task[None]] = set()

        async def one(file: File) -> None:
            asker = idle.pop() if idle else Asker(self.url, self.key)
            answered = Tally(0)
            await _ask(asker, file, answered)
            idle.append(asker)
            (counted if time.monotonic() >= self.begin else uncounted).add(answered)

        begin = self.begin - before
        for number, file in enumerate(_files(0)):
            due = begin + number / rate
            if due > self._end:
                break
            await _sleep_until(due)
            task = asyncio.create_task(one(file))
            work.add(task)
            task.add_done_callback(work.discard)
        await _leave(work)
        return counted


async def _ask(asker: Asker, file: File, tally: Tally) -> None:
    try:
        answer = await asker.ask(file)
    except OSError as problem:
        tally.errors[type(problem).__name__] += 1
    else:
        tally.take(file, answer)


async def _sleep_until(due: float) -> None:
    await asyncio.sleep(max(0.0, due - time.monotonic()))


async def _leave(work: Collection[asyncio.Task[None]]) -> None:
    """End what still goes on: nobody waits for it."""
    for task in list(work):
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)


def _files(number: int) -> Iterator[File]:
    """Yield clips for ever; each user begins with another one."""
    return itertools.islice(itertools.cycle(load_files()), number, None)
