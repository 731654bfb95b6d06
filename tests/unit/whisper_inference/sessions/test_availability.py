"""A store that is down: said once, tried again by and by."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.redis_server import RedisServer
from whisper_inference.errors import StoreUnavailable
from whisper_inference.sessions.availability import Availability
from whisper_inference.sessions.redis import RedisStore
from whisper_inference.sessions.redis_address import connect
from whisper_inference.sessions.redis_link import RedisLink


class Seconds:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return them."""
        return self.now


def test_it_is_told_once_that_it_went_and_once_that_it_came_back(caplog: pytest.LogCaptureFixture) -> None:
    clock, told = Seconds(), list[bool]()
    availability = Availability(clock, told.append)
    availability.check()
    availability.found()
    for _ in range(3):
        availability.lost(ConnectionError("redis://:hunter2@host"))
        clock.now += 60
        availability.check()
    availability.found()
    availability.found()
    assert told == [False, True]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "hunter2" not in caplog.text


def test_one_attempt_is_let_through_after_each_pause_and_pauses_grow_to_five_seconds() -> None:
    clock = Seconds()
    availability = Availability(clock, lambda _: None)
    pauses = []
    for _ in range(10):
        pauses.append(availability.lost(ConnectionError()).retry_after_seconds)
        with pytest.raises(StoreUnavailable, match="API key"):
            availability.check()
        clock.now += 5
        availability.check()
        with pytest.raises(StoreUnavailable):
            availability.check()
    assert pauses[0] == 1
    assert 3 <= pauses[-1] <= 5


@pytest.mark.slow
def test_a_redis_that_dies_is_found_again_when_it_is_back(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    told = list[bool]()

    async def whole() -> None:
        store = RedisStore(RedisLink(connect(server.address), Availability(time.monotonic, told.append)))
        assert await store.count("name", timedelta(minutes=1)) == 1
        server.stop()
        began = time.monotonic()
        for _ in range(1000):
            with pytest.raises(StoreUnavailable):
                await store.count("name", timedelta(minutes=1))
        assert time.monotonic() - began < 10
        await asyncio.to_thread(server.start)
        for _ in range(200):
            try:
                await store.count("name", timedelta(minutes=1))
                break
            except StoreUnavailable:
                await asyncio.sleep(0.05)
        assert told == [False, True]
        await store.close()

    try:
        asyncio.run(whole())
    finally:
        server.stop()
