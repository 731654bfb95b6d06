"""One contract for every store: memory, a Redis, a cluster of them, and one behind Sentinel."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from tests.support.redis_server import redis_server
from whisper_inference.sessions.availability import Availability
from whisper_inference.sessions.memory import MemoryStore
from whisper_inference.sessions.redis import RedisStore
from whisper_inference.sessions.redis_address import connect
from whisper_inference.sessions.redis_link import RedisLink
from whisper_inference.sessions.store import SessionId, SessionStore

ResultT = TypeVar("ResultT")

LONG = timedelta(minutes=1)
SHORT = timedelta(milliseconds=80)
PAUSE_SECONDS = 0.15


def use(address: str | None, work: Callable[[SessionStore], Awaitable[ResultT]]) -> ResultT:
    """Open a store, use it, and close it."""

    async def whole() -> ResultT:
        store: SessionStore = MemoryStore(time.monotonic)
        if address is not None:
            store = RedisStore(RedisLink(connect(address), Availability(time.monotonic, lambda _: None)))
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(whole())


def new_key(owner: str | None = None) -> SessionId:
    return SessionId(owner or secrets.token_hex(8), secrets.token_hex(32))


def test_a_session_is_found_until_it_is_deleted(address: str | None) -> None:
    async def work(store: SessionStore) -> None:
        key = new_key()
        assert await store.read(key, LONG) is None
        await store.create(key, b"\x00 anything", LONG, LONG)
        assert await store.read(key, LONG) == b"\x00 anything"
        await store.delete(key)
        await store.delete(key)
        assert await store.read(key, LONG) is None

    use(address, work)


def test_a_session_that_nobody_reads_ends_and_one_that_is_read_lives_on(address: str | None) -> None:
    async def work(store: SessionStore) -> None:
        idle, busy = new_key(), new_key()
        await store.create(idle, b"idle", SHORT, LONG)
        await store.create(busy, b"busy", SHORT, LONG)
        assert await store.read(busy, LONG) == b"busy"
        await asyncio.sleep(PAUSE_SECONDS)
        assert await store.read(idle, LONG) is None
        assert await store.read(busy, LONG) == b"busy"

    use(address, work)


def test_an_idle_time_beyond_the_end_does_not_outlast_it(address: str | None) -> None:
    async def work(store: SessionStore) -> None:
        key = new_key()
        await store.create(key, b"short", LONG, SHORT)
        await asyncio.sleep(PAUSE_SECONDS)
        assert await store.read(key, LONG) is None

    use(address, work)


def test_all_sessions_of_an_owner_end_together_and_those_of_others_go_on(address: str | None) -> None:
    async def work(store: SessionStore) -> None:
        owner = secrets.token_hex(8)
        own, foreign = [new_key(owner) for _ in range(3)], new_key()
        for key in (*own, foreign):
            await store.create(key, b"session", LONG, LONG)
        await store.delete(own[0])
        assert await store.delete_all(owner) == 2
        assert [await store.read(key, LONG) for key in (*own, foreign)] == [None, None, None, b"session"]
        assert await store.delete_all(owner) == 0

    use(address, work)


def test_the_sessions_of_an_owner_are_listed_and_none_lives_longer_for_it(address: str | None) -> None:
    async def work(store: SessionStore) -> None:
        owner = secrets.token_hex(8)
        one, two, brief = [new_key(owner) for _ in range(3)]
        assert await store.all_of(owner) == []
        for key, idle in ((one, LONG), (two, LONG), (brief, SHORT), (new_key(), LONG)):
            await store.create(key, key.identity.encode(), idle, LONG)
        found = {each.key: each for each in await store.all_of(owner)}
        assert found.keys() == {one, two, brief}
        assert all(each.value == key.identity.encode() for key, each in found.items())
        assert LONG - timedelta(seconds=10) < found[one].idle_left <= LONG
        assert timedelta() <= found[brief].idle_left <= SHORT
        await asyncio.sleep(PAUSE_SECONDS)
        await store.delete(two)
        assert {each.key for each in await store.all_of(owner)} == {one}

    use(address, work)


def test_of_many_who_delete_a_session_one_is_told_that_it_was_there(address: str | None) -> None:
    async def work(store: SessionStore) -> None:
        key = new_key()
        await store.create(key, b"once", LONG, LONG)
        told = await asyncio.gather(*(store.delete(key) for _ in range(20)))
        assert sorted(told) == [False] * 19 + [True]

    use(address, work)


def test_counts_are_exact_among_many_and_begin_anew_after_a_pause(address: str | None) -> None:
    async def work(store: SessionStore) -> None:
        name, short = secrets.token_hex(8), secrets.token_hex(8)
        counts = await asyncio.gather(*(store.count(name, LONG) for _ in range(50)))
        assert sorted(counts) == list(range(1, 51))
        assert await store.count(short, SHORT) == 1
        await asyncio.sleep(PAUSE_SECONDS)
        assert await store.count(short, SHORT) == 1
        await store.forget(name)
        assert await store.count(name, LONG) == 1

    use(address, work)


def test_a_name_is_held_for_as_long_as_was_said(address: str | None) -> None:
    async def work(store: SessionStore) -> None:
        name, short = secrets.token_hex(8), secrets.token_hex(8)
        assert await store.held_for(name) is None
        await store.hold(name, LONG)
        await store.hold(short, SHORT)
        left = await store.held_for(name)
        assert left is not None
        assert LONG - timedelta(seconds=10) < left <= LONG
        await asyncio.sleep(PAUSE_SECONDS)
        assert await store.held_for(short) is None
        await store.forget(name)
        assert await store.held_for(name) is None

    use(address, work)


def test_what_one_process_keeps_another_finds_and_every_key_has_an_end(tmp_path: Path) -> None:
    async def keep(store: SessionStore) -> None:
        await store.create(key, b"session", LONG, LONG)
        await store.count("name", LONG)
        await store.hold("name", LONG)

    async def find(store: SessionStore) -> bytes | None:
        return await store.read(key, LONG)

    key = new_key()
    with redis_server(tmp_path) as server:
        use(server.address, keep)
        assert use(server.address, find) == b"session"
        names = server.client.keys("*")
        assert len(names) == 4
        assert all(name.startswith(b"whisper:1:") for name in names)
        assert all(0 < server.client.ttl(name) <= LONG.total_seconds() for name in names)
