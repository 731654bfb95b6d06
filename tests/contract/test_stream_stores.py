"""One contract for what keeps streams: memory, a Redis, a cluster of them, and one behind Sentinel."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta

from whisper_inference.sessions.availability import Availability
from whisper_inference.sessions.redis_address import connect
from whisper_inference.sessions.redis_link import RedisLink
from whisper_inference.sessions.store import SessionId
from whisper_inference.streaming.memory import MemoryStreams
from whisper_inference.streaming.redis import RedisStreams
from whisper_inference.streaming.store import KeptSound, KeptStream, StreamStore

LONG, SHORT = timedelta(minutes=1), timedelta(milliseconds=80)
PAUSE_SECONDS = 0.15


def use(address: str | None, work: Callable[[StreamStore, SessionId], Awaitable[None]]) -> None:
    """Open a store, use it with a key of its own, and close it."""

    async def whole() -> None:
        link = None if address is None else RedisLink(connect(address), Availability(time.monotonic, lambda _: None))
        store = MemoryStreams(time.monotonic) if link is None else RedisStreams(link)
        try:
            await work(store, SessionId(uuid.uuid4().hex, uuid.uuid4().hex))
        finally:
            if link is not None:
                await link.close()

    asyncio.run(whole())


def test_a_stream_is_kept_grows_and_is_taken_over_in_a_new_epoch(address: str | None) -> None:
    async def work(store: StreamStore, key: SessionId) -> None:
        assert await store.take(key, LONG) is None
        assert not await store.append(key, 0, KeptSound(b"nothing to append to"), LONG)
        assert await store.keep(key, 0, b"state", KeptSound(b"\x00\xff", b"here"), LONG)
        assert await store.append(key, 0, KeptSound(b"\x01", b"\xffthere"), LONG)
        assert await store.take(key, LONG) == KeptStream(b"state", KeptSound(b"\x00\xff\x01", b"\xffthere"), 1)
        assert await store.take(key, LONG) == KeptStream(b"state", KeptSound(b"\x00\xff\x01", b"\xffthere"), 2)

    use(address, work)


def test_the_connection_before_writes_no_more(address: str | None) -> None:
    async def work(store: StreamStore, key: SessionId) -> None:
        await store.keep(key, 0, b"state", KeptSound(b""), LONG)
        await store.take(key, LONG)
        assert not await store.keep(key, 0, b"late", KeptSound(b"late"), LONG)
        assert not await store.append(key, 0, KeptSound(b"late"), LONG)
        assert await store.keep(key, 1, b"new", KeptSound(b"sound"), LONG)
        assert await store.take(key, LONG) == KeptStream(b"new", KeptSound(b"sound"), 2)

    use(address, work)


def test_a_stream_ends_by_itself_or_is_forgotten(address: str | None) -> None:
    async def work(store: StreamStore, key: SessionId) -> None:
        await store.keep(key, 0, b"state", KeptSound(b"sound"), SHORT)
        await asyncio.sleep(PAUSE_SECONDS)
        assert await store.take(key, LONG) is None
        await store.keep(key, 0, b"state", KeptSound(b"sound"), LONG)
        await store.forget(key)
        assert await store.take(key, LONG) is None

    use(address, work)
