"""Limits hold for one process, and for several that share a Redis of any kind."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.support.redis_server import RedisServer
from whisper_inference.errors import RateLimited
from whisper_inference.security.rate_limits import UNLIMITED, RateClass, RateLimits, Standing
from whisper_inference.sessions.availability import Availability
from whisper_inference.sessions.redis_address import connect
from whisper_inference.sessions.redis_link import RedisLink

READS = RateClass.READS


@asynccontextmanager
async def process(address: str | None, rate: str) -> AsyncIterator[RateLimits]:
    """The limits of one server."""
    link = None
    if address is not None:
        link = RedisLink(connect(address), Availability(time.monotonic, lambda _: None))
    try:
        yield RateLimits(dict.fromkeys(RateClass, rate), link)
    finally:
        if link is not None:
            await link.close()


async def allowed(limits: RateLimits, who: str, times: int) -> int:
    """Ask so many times at once; return how often it was allowed."""

    async def ask() -> bool:
        try:
            await limits.take(READS, who)
        except RateLimited:
            return False
        return True

    return sum(await asyncio.gather(*(ask() for _ in range(times))))


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await work()

    asyncio.run(whole())


def test_as_many_as_allowed_pass_and_each_is_told_how_it_stands(address: str | None) -> None:
    async def work() -> None:
        async with process(address, "10/hour") as limits:
            who = uuid.uuid4().hex
            first = await limits.take(READS, who)
            assert first is not None
            assert (first.limit, first.remaining) == (10, 9)
            assert await limits.standing(READS, who) == first
            assert await limits.standing(READS, uuid.uuid4().hex) == (10, 10, 0)
            assert await allowed(limits, who, 40) == 9
            with pytest.raises(RateLimited, match="10 per 1 hour") as refused:
                await limits.take(READS, who)
            assert 1 <= refused.value.retry_after_seconds <= 3600
            assert await allowed(limits, uuid.uuid4().hex, 1) == 1

    run(work)


def test_classes_are_counted_apart(address: str | None) -> None:
    async def work() -> None:
        async with process(address, "1/hour") as limits:
            who = uuid.uuid4().hex
            assert await allowed(limits, who, 5) == 1
            assert await limits.take(RateClass.TRANSCRIPTIONS, who) is not None

    run(work)


def test_room_comes_back_with_time(address: str | None) -> None:
    async def work() -> None:
        async with process(address, "5/second") as limits:
            who = uuid.uuid4().hex
            assert await allowed(limits, who, 20) == 5
            await asyncio.sleep(2.1)
            assert await allowed(limits, who, 20) == 5

    run(work)


def test_four_processes_share_a_limit_within_five_per_cent(address: str | None) -> None:
    if address is None:
        pytest.skip("memory is one process's own")

    async def work() -> None:
        who = uuid.uuid4().hex
        async with AsyncExitStack() as stack:
            four = [await stack.enter_async_context(process(address, "200/hour")) for _ in range(4)]
            passed = sum(await asyncio.gather(*(allowed(limits, who, 100) for limits in four)))
        assert passed == pytest.approx(200, rel=0.05)

    run(work)


def test_while_redis_is_away_each_process_counts_for_itself(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)

    async def work() -> None:
        async with process(server.address, "10/hour") as limits:
            assert await allowed(limits, "anna", 4) == 4
            server.stop()
            assert await allowed(limits, "anna", 40) == 10

    try:
        run(work)
    finally:
        server.stop()


def test_a_request_asks_redis_one_question(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)

    async def work() -> None:
        async with process(server.address, "10/hour") as limits:
            await allowed(limits, "anna", 1)  # the first one brings the script along
            server.client.config_resetstat()
            assert await allowed(limits, "anna", 5) == 5

    try:
        run(work)
        asked = {name: each["calls"] for name, each in server.client.info("commandstats").items()}
        assert asked["cmdstat_evalsha"] == 5
    finally:
        server.stop()


def test_wrong_credentials_are_counted_by_address_and_what_is_unlimited_is_not() -> None:
    async def work() -> None:
        async with process(None, "3/hour") as limits:
            for _ in range(3):
                await limits.check_refusals("192.0.2.1")
                await limits.refused("192.0.2.1")
            with pytest.raises(RateLimited):
                await limits.check_refusals("192.0.2.1")
            await limits.check_refusals("192.0.2.2")
        async with process(None, UNLIMITED) as limits:
            standings: list[Standing | None] = [await limits.take(READS, "anna") for _ in range(100)]
            assert standings == [None] * 100
            assert await limits.standing(READS, "anna") is None
            for _ in range(100):
                await limits.refused("192.0.2.1")
                await limits.check_refusals("192.0.2.1")

    run(work)
