"""One contract for what counts use: memory, a Redis, a cluster of them, and one behind Sentinel."""

import asyncio
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.support.quota_process import quota_store
from tests.support.redis_server import RedisServer, redis_server
from whisper_inference.quotas.store import AudioDay, LeaseClass, Pool, QuotaStore

LONG = timedelta(minutes=1)
SHORT = timedelta(milliseconds=80)
PAUSE_SECONDS = 0.15
TODAY = date(2026, 11, 24)


def new_pool() -> Pool:
    return Pool(LeaseClass.REQUESTS, f"key:{uuid.uuid4().hex}")


def new_day() -> AudioDay:
    return AudioDay(f"account:{uuid.uuid4().hex}@example.org", TODAY)


def use(address: str | None, work: Callable[[QuotaStore], Awaitable[None]]) -> None:
    """Open a store, use it, and close it."""

    async def whole() -> None:
        async with quota_store(address) as store:
            await work(store)

    asyncio.run(whole())


async def taken(store: QuotaStore, pool: Pool, times: int, most: int) -> int:
    """Take so many leases at once; return how many there were."""
    return sum(await asyncio.gather(*(store.take(pool, uuid.uuid4().hex, most, LONG) for _ in range(times))))


def test_no_more_leases_are_held_than_allowed_and_one_that_is_given_back_makes_room(address: str | None) -> None:
    async def work(store: QuotaStore) -> None:
        pool, other = new_pool(), new_pool()
        assert await store.held(pool) == 0
        assert await store.take(pool, "one", 5, LONG)
        assert await taken(store, pool, 40, 5) == 4
        assert await store.held(pool) == 5
        await store.give_back(pool, "one")
        await store.give_back(pool, "one")
        await store.give_back(pool, "nobody's")
        assert await taken(store, pool, 40, 5) == 1
        assert await taken(store, other, 40, 5) == 5

    use(address, work)


def test_a_lease_ends_by_itself_unless_it_is_renewed(address: str | None) -> None:
    async def work(store: QuotaStore) -> None:
        pool = new_pool()
        assert await store.take(pool, "idle", 2, SHORT)
        assert await store.take(pool, "busy", 2, SHORT)
        assert not await store.take(pool, "late", 2, LONG)
        await store.renew(pool, "busy", LONG)
        await asyncio.sleep(PAUSE_SECONDS)
        assert await store.held(pool) == 1
        assert await store.take(pool, "late", 2, LONG)
        assert not await store.take(pool, "later", 2, LONG)

    use(address, work)


def test_a_lease_that_ended_is_held_again_when_it_is_renewed(address: str | None) -> None:
    async def work(store: QuotaStore) -> None:
        pool = new_pool()
        assert await store.take(pool, "one", 1, SHORT)
        await asyncio.sleep(PAUSE_SECONDS)
        await store.renew(pool, "one", LONG)
        assert not await store.take(pool, "two", 1, LONG)

    use(address, work)


def test_audio_is_charged_until_the_day_s_is_used_up_and_can_be_taken_back(address: str | None) -> None:
    async def work(store: QuotaStore) -> None:
        day = new_day()
        assert await store.charged(day) == 0
        assert await store.charge(day, 6.5, 10)
        assert await store.charge(day, 60.25, 10)
        assert not await store.charge(day, 0.5, 10)
        assert await store.charged(day) == 66.75
        assert await store.charge(day, -60.25, None)
        assert await store.charge(day, 1, 10)
        assert await store.charged(day._replace(day=TODAY + timedelta(days=1))) == 0
        assert await store.charged(new_day()) == 0

    use(address, work)


def test_of_many_at_once_only_one_goes_beyond_the_day_s_audio(address: str | None) -> None:
    async def work(store: QuotaStore) -> None:
        day = new_day()
        charged = await asyncio.gather(*(store.charge(day, 7, 50) for _ in range(40)))
        assert sum(charged) == 8
        assert await store.charged(day) == 56

    use(address, work)


def test_several_processes_count_together_exactly(address: str | None) -> None:
    if address is None:
        pytest.skip("memory is one process's own")

    async def work() -> None:
        pool, day = new_pool(), new_day()
        async with AsyncExitStack() as stack:
            four = [await stack.enter_async_context(quota_store(address)) for _ in range(4)]
            assert sum(await asyncio.gather(*(taken(store, pool, 20, 10) for store in four))) == 10
            await asyncio.gather(*(store.charge(day, 2.5, None) for store in four))
            assert [await store.charged(day) for store in four] == [10.0] * 4

    asyncio.run(work())


def test_the_leases_of_a_process_that_is_killed_end(address: str | None) -> None:
    if address is None:
        pytest.skip("memory goes with its process")
    pool, lease_seconds = new_pool(), 1.0
    program = (sys.executable, "-m", "tests.support.quota_process", address, pool.credential, "3", str(lease_seconds))

    async def work(store: QuotaStore) -> None:
        holder = await asyncio.create_subprocess_exec(*program, stdout=subprocess.PIPE)
        try:
            assert holder.stdout is not None
            assert await holder.stdout.readline() == b"held\n"
            await asyncio.sleep(2 * lease_seconds)
            assert await store.held(pool) == 3, "it renews them"
        finally:
            holder.kill()
            await holder.wait()
        died = time.monotonic()
        while await store.held(pool) > 0:
            assert time.monotonic() - died < 10 * lease_seconds
            await asyncio.sleep(0.05)
        assert await store.take(pool, "mine", 1, LONG)

    use(address, work)


def test_every_key_has_an_end(tmp_path: Path) -> None:
    pool, day = new_pool(), new_day()

    async def work(store: QuotaStore) -> None:
        await store.take(pool, "one", 5, LONG)
        await store.renew(pool, "two", SHORT)
        await store.charge(day, 1, None)

    with redis_server(tmp_path) as server:
        use(server.address, work)
        ends = {name.decode(): server.client.ttl(name) for name in server.client.keys("*")}
    assert ends.keys() == {
        f"whisper:1:{{{pool.credential}}}:leases:requests",
        f"whisper:1:{{{day.credential}}}:audio:2026-11-24",
    }
    assert all(0 < end <= timedelta(days=2).total_seconds() for end in ends.values())


def test_while_redis_is_away_each_process_counts_for_itself_and_tells_when_it_is_back(tmp_path: Path) -> None:
    server = RedisServer(tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    pool, day = new_pool(), new_day()

    async def work(store: QuotaStore) -> None:
        assert await taken(store, pool, 2, 5) == 2
        assert await store.charge(day, 4, 10)
        server.stop()
        assert await taken(store, pool, 20, 5) == 3
        assert await store.held(pool) == 5
        assert await store.charge(day, 4, 10)
        assert await store.charge(day, 4, 10)
        assert not await store.charge(day, 4, 10)
        assert await store.charged(day) == 12
        server.start()
        async with quota_store(server.address) as other:
            for _ in range(200):
                await store.charged(day)
                if await other.charged(day) == 12:
                    break
                await asyncio.sleep(0.1)
            assert await other.charged(day) == 12
            await store.renew(pool, "one more", LONG)
            assert await other.held(pool) == 3

    try:
        use(server.address, work)
    finally:
        server.stop()
