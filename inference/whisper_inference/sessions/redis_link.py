"""The way to Redis: how many speak at once, who speaks first, and what happens when nobody answers."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Final, NamedTuple

import redis.asyncio
from redis.exceptions import NoPermissionError, OutOfMemoryError, ReadOnlyError, RedisError

from whisper_inference.sessions.availability import Availability

LAYOUT: Final = "whisper:1"
"""Begins every key; the number is the layout's version."""

NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
"""Begins a script that needs the time: Redis' own, in milliseconds, for clocks of replicas differ."""

CALLS_AT_ONCE: Final = 32
"""Of one process; the next one waits."""


_LONGEST_SECONDS: Final = 4.0
"""That anybody waits, whatever is tried again meanwhile: a server that accepts and never answers must hang nobody."""
_REFUSALS: Final = (OutOfMemoryError, ReadOnlyError, NoPermissionError)
"""It answers: full, a copy of another, or its access list forbids it."""


def in_milliseconds(span: timedelta) -> int:
    """Write how long something lasts, as Redis wants it: nothing lasts for no time."""
    return max(1, round(span.total_seconds() * 1000))


class Connection(NamedTuple):
    """A client, and the clients of what tells it where to go."""

    client: redis.asyncio.Redis | redis.asyncio.RedisCluster
    sentinels: Sequence[redis.asyncio.Redis] = ()


class RedisLink:
    """What everything in a process that speaks to Redis shares; belongs to one event loop."""

    def __init__(self, connection: Connection, availability: Availability) -> None:
        self.client, self._sentinels = connection
        self._availability = availability
        self._meeting, self._met = asyncio.Lock(), False
        self._places = asyncio.Semaphore(CALLS_AT_ONCE)

    @asynccontextmanager
    async def talking(self) -> AsyncIterator[None]:
        """Speak to Redis inside.

        Raises:
            StoreUnavailable: It does not answer, or did not a moment ago, or refuses.
        """
        with _hearing_cancellation():
            async with self._spoken_to():
                yield

    @asynccontextmanager
    async def _spoken_to(self) -> AsyncIterator[None]:
        async with self._places:
            self._availability.check()
            try:
                async with asyncio.timeout(_LONGEST_SECONDS):
                    await self._meet()
                    yield
            except _REFUSALS as problem:
                await self._leave_copy(problem)
                raise self._availability.refused(problem) from problem
            except (RedisError, OSError) as problem:
                self._met = False
                raise self._availability.lost(problem) from problem
        self._availability.found()

    async def _leave_copy(self, problem: RedisError) -> None:
        """Go anew to where the name leads: what was the master is one no more, and its connections stay open."""
        if isinstance(problem, ReadOnlyError) and isinstance(self.client, redis.asyncio.Redis):
            await self.client.connection_pool.disconnect(inuse_connections=False)

    async def close(self) -> None:
        """Let the connections go."""
        for client in (self.client, *self._sentinels):
            await client.aclose()

    async def _meet(self) -> None:
        """Speak once before many do: while redis-py learns where the servers are, it closes what others use."""
        async with self._meeting:
            if not self._met:
                await self.client.ping()
                self._met = True


@contextmanager
def _hearing_cancellation() -> Iterator[None]:
    """Raise the cancellation that was lost inside, if one was.

    redis-py writes in `asyncio.wait_for`, which before Python 3.12 forgets that its task was cancelled if what it waits
    for has just come (python/cpython#86296). Whoever cancelled the task and waits for its end would wait for ever.
    """
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    try:
        yield
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError
