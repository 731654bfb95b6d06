"""The way to Redis: whoever gives up on an answer is heard, whatever the client library does with it."""

import asyncio
import time
from datetime import timedelta

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from typing_extensions import override

from whisper_inference.errors import StoreUnavailable
from whisper_inference.quotas.redis import RedisQuotas
from whisper_inference.quotas.store import LeaseClass, Pool
from whisper_inference.sessions.availability import Availability
from whisper_inference.sessions.redis_link import Connection, RedisLink


class Deaf(Redis):
    """Forgets a cancellation that comes together with what it waits for: as redis-py does before Python 3.12."""

    def __init__(self, problem: Exception | None = None) -> None:
        super().__init__()
        self.waiting, self.came = asyncio.Event(), asyncio.Event()
        self._problem = problem

    @override
    async def execute_command(self, *_: object, **__: object) -> int:
        """Answer once `came` is set."""
        self.waiting.set()
        try:
            await self.came.wait()
        except asyncio.CancelledError:
            if not self.came.is_set():
                raise
        if self._problem is not None:
            raise self._problem
        return 1


async def renew(client: Redis) -> None:
    """Ask for something through the link."""
    quotas = RedisQuotas(RedisLink(Connection(client), Availability(time.monotonic, lambda _: None)))
    await quotas.renew(Pool(LeaseClass.STREAMS, "key"), "lease", timedelta(seconds=1))


@pytest.mark.parametrize("problem", [None, RedisConnectionError("gone")])
def test_a_cancellation_is_heard_that_comes_with_the_answer(problem: Exception | None) -> None:
    async def whole() -> None:
        client = Deaf(problem)
        renewal = asyncio.create_task(renew(client))
        await client.waiting.wait()
        client.came.set()
        renewal.cancel()
        with pytest.raises(asyncio.CancelledError):
            await renewal

    asyncio.run(whole())


def test_who_waits_for_too_long_is_told_so_and_was_not_cancelled() -> None:
    async def whole() -> None:
        with pytest.raises(StoreUnavailable):
            await renew(Deaf())

    asyncio.run(whole())
