"""People with a live stream each: most say nothing, the others a sentence now and then, as they would in a meeting."""

import asyncio
import itertools
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import WebSocketException

from tests.benchmarks.streams.speaker import Message, Speakers, frames
from tests.benchmarks.streams.speech import BYTES_PER_SECOND, Speech, make_speech, silence

_AT_ONCE: Final = 10
"""Connections that a process opens at the same time."""
_FRAME_SECONDS: Final = 0.1
_SIGN_OF_LIFE_SECONDS: Final = 45
"""Who sends nothing for a minute is taken for gone."""
_AFTER_WORDS: Final = 1.2
"""Seconds of silence after a sentence: the pause by which the server knows that it has ended."""
_LAST_WORDS_SECONDS: Final = 60
_TOLERANCE: Final = 0.5
"""Seconds by which a pause may seem to begin before the last word ends."""


@dataclass(slots=True)
class Person:
    """What somebody's stream was like."""

    opened: float = float("nan")
    """Seconds until it could be spoken into."""
    turns: int = 0
    """Sentences that were said."""
    lags: list[float] = field(default_factory=list)
    """Seconds from the last sample that a hypothesis covers, as it was spoken, to its text."""
    finals: list[float] = field(default_factory=list)
    """Seconds from the end of a sentence to its final text; the pause that ends it is in them."""
    said: list[str] = field(default_factory=list)
    heard: str = ""
    problem: str | None = None
    """Why it ended, if not as it should."""


@dataclass(frozen=True, slots=True)
class Habits:
    """What the people of a process do."""

    url: str
    key: str
    opens: float
    """When they begin to connect, of `time.monotonic`."""
    begin: float
    """When the first of them speaks."""
    end: float
    """When they say no more."""
    pause: float
    """Seconds between two sentences of the same person."""


def be_people(habits: Habits, talkers: Sequence[int], silent: int) -> list[Person]:
    """Be some who talk, each known by a number, and some who do not; return what became of them."""
    return asyncio.run(_be_people(habits, talkers, silent))


async def _be_people(habits: Habits, talkers: Sequence[int], silent: int) -> list[Person]:
    gate = asyncio.Semaphore(_AT_ONCE)
    await asyncio.sleep(max(0.0, habits.opens - time.monotonic()))
    numbers: list[int | None] = [*talkers, *itertools.repeat(None, silent)]
    return await asyncio.gather(*(_Stream(habits, number).live(gate) for number in numbers))


class _Stream:
    def __init__(self, habits: Habits, number: int | None) -> None:
        self._habits = habits
        self._number = number
        self._person = Person()
        self._sent = 0.0
        """Seconds of sound so far."""
        self._turn = _Turn(0.0, 0.0, float("inf"))

    async def live(self, gate: asyncio.Semaphore) -> Person:
        """Connect, take part, and leave."""
        speakers = Speakers(self._habits.url, self._habits.key)
        try:
            async with gate:
                began = time.monotonic()
                connection = await speakers.connect()
                await connection.send(json.dumps({"type": "start", "language": "en"}))
                self._take(json.loads(await connection.recv()))
                self._person.opened = time.monotonic() - began
            async with connection:
                await self._take_part(connection)
        except (OSError, WebSocketException, TimeoutError) as problem:
            self._person.problem = self._person.problem or type(problem).__name__
        return self._person

    async def _take_part(self, connection: ClientConnection) -> None:
        listening = asyncio.create_task(self._listen(connection))
        await (self._be_silent(connection) if self._number is None else self._talk(connection, self._number))
        await connection.send(json.dumps({"type": "finish"}))
        async with asyncio.timeout(_LAST_WORDS_SECONDS):
            await listening

    async def _be_silent(self, connection: ClientConnection) -> None:
        while (left := self._habits.end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, _SIGN_OF_LIFE_SECONDS))
            await connection.send(silence(_FRAME_SECONDS))

    async def _talk(self, connection: ClientConnection, number: int) -> None:
        await self._wait(connection, self._habits.begin + self._habits.pause * (number * 0.618 % 1))
        for turn in itertools.count():
            if time.monotonic() >= self._habits.end:
                return
            await self._say(connection, make_speech(number + 7 * turn, _FRAME_SECONDS, 1.0))
            await self._wait(connection, time.monotonic() + self._habits.pause)

    async def _wait(self, connection: ClientConnection, due: float) -> None:
        while (left := min(due, self._habits.end) - time.monotonic()) > 0:
            await asyncio.sleep(min(left, _SIGN_OF_LIFE_SECONDS))
            await self._send(connection, silence(_FRAME_SECONDS))

    async def _say(self, connection: ClientConnection, speech: Speech) -> None:
        now = time.monotonic()
        self._turn = _Turn(now, self._sent, self._sent + speech.word_ends[-1])
        self._person.turns += 1
        self._person.said.append(speech.text)
        for number, frame in enumerate(frames(speech.sound + silence(_AFTER_WORDS)), start=1):
            await asyncio.sleep(max(0.0, now + number * _FRAME_SECONDS - time.monotonic()))
            await self._send(connection, frame)

    async def _send(self, connection: ClientConnection, frame: bytes) -> None:
        await connection.send(frame)
        self._sent += len(frame) / BYTES_PER_SECOND

    async def _listen(self, connection: ClientConnection) -> None:
        closed = False
        with suppress(WebSocketException):  # what came of it is known by then
            async for received in connection:
                message = json.loads(received)
                self._take(message)
                closed = closed or (message["type"] == "closed" and message["reason"] == "finished")
        self._person.problem = self._person.problem or (None if closed else "connection_lost")

    def _take(self, message: Message) -> None:
        now = time.monotonic()
        match message["type"]:
            case "partial" if message["end"] > self._turn.from_second:
                self._person.lags.append(now - self._turn.spoken(message["end"]))
            case "final":
                self._person.heard += message["text"]
            case "endpoint" if message["at"] > self._turn.to_second - _TOLERANCE:
                self._person.finals.append(now - self._turn.spoken(self._turn.to_second))
            case "error":
                self._person.problem = message["error"]["code"]
            case _:
                pass


@dataclass(frozen=True, slots=True)
class _Turn:
    """A sentence that is being said."""

    began: float
    """When, of `time.monotonic`."""
    from_second: float
    """Of the stream's sound."""
    to_second: float
    """Where its last word ends."""

    def spoken(self, second: float) -> float:
        """Return when a second of the stream's sound was spoken."""
        return self.began + second - self.from_second
