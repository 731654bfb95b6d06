"""The sweep against real servers: every key gets its end, the layout before is moved, and one replica does it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.cluster

from tests.support.redis_server import redis_cluster, redis_server
from whisper_inference.errors import StoreUnavailable
from whisper_inference.sessions.availability import Availability
from whisper_inference.sessions.redis import RedisStore
from whisper_inference.sessions.redis_address import connect
from whisper_inference.sessions.redis_link import RedisLink
from whisper_inference.sessions.store import SessionId
from whisper_inference.sessions.sweeping import Sweeper

NOW = datetime(2026, 1, 1, tzinfo=UTC)
INTERVAL = timedelta(seconds=30)
RETENTION = timedelta(hours=24)
HOUR = timedelta(hours=1)


class Told:
    """What an observer was told."""

    def __init__(self) -> None:
        self.swept: list[tuple[datetime, int]] = []
        self.mended: dict[str, int] = {}

    def store_swept(self, at: datetime, keys: int) -> None:
        """Note it."""
        self.swept.append((at, keys))

    def keys_mended(self, reason: str, count: int) -> None:
        """Note it."""
        self.mended[reason] = count


def use(address: str, work: Callable[[RedisLink], Awaitable[None]]) -> None:
    """Do something over a link of its own."""

    async def whole() -> None:
        link = RedisLink(connect(address), Availability(asyncio.get_running_loop().time, lambda _: None))
        try:
            await work(link)
        finally:
            await link.close()

    asyncio.run(whole())


def sweep(address: str) -> Told:
    """One replica's turn."""
    told = Told()
    use(address, lambda link: Sweeper(link, RETENTION, lambda: NOW, told).take_turn(INTERVAL))
    return told


def test_a_key_without_an_end_gets_one_and_session_data_none_beyond_the_retention(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        server.client.set("whisper:1:hold:by-hand", b"")
        server.client.set("whisper:1:{a}:session:b", b"", ex=RETENTION * 2)
        server.client.set("whisper:1:{a}:session:c", b"", ex=60)
        server.client.set("whisper:1:limit:day", b"", ex=RETENTION * 2)
        server.client.set("whisper:2:to-come", b"")
        server.client.set("somebody-else-s", b"")
        told = sweep(server.address)
        ends = {name.decode(): server.client.ttl(name) for name in server.client.keys("*")}
        assert told.mended == {"endless": 1, "too_long": 1}
        assert told.swept == [(NOW, 6)]
    day = RETENTION.total_seconds()
    assert day - 60 < ends["whisper:1:hold:by-hand"] <= day
    assert day - 60 < ends["whisper:1:{a}:session:b"] <= day
    assert ends["whisper:1:{a}:session:c"] <= 60
    assert ends["whisper:1:limit:day"] > day
    assert ends["whisper:2:to-come"] == ends["somebody-else-s"] == -1


def test_one_replica_sweeps_and_the_others_hear_of_it(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        server.client.set("whisper:1:hold:x", b"")
        one, two = sweep(server.address), sweep(server.address)
        assert (one.mended, two.mended) == ({"endless": 1}, {})
        assert one.swept == two.swept == [(NOW, 2)]
        assert 0 < server.client.ttl("whisper:1:swept") <= INTERVAL.total_seconds()


def seed(client: Any) -> None:  # noqa: ANN401 - as RedisServer's
    """What a server with the layout before has left."""
    owner = "{a1}"
    for number in range(3):
        client.set(f"whisper:0:{owner}:session:{number}", f"session {number}", px=3_600_000)
        client.sadd(f"whisper:0:{owner}:sessions", f"whisper:0:{owner}:session:{number}")
    client.pexpire(f"whisper:0:{owner}:sessions", 3_600_000)
    client.set("whisper:0:count:wrong", 3, px=60_000)
    client.set("whisper:0:hold:endless", b"")
    client.zadd("whisper:0:{a1}:leases:stream", {"x": 1})
    client.set("whisper:1:count:newer", 7, px=60_000)
    client.set("whisper:0:count:newer", 1, px=60_000)


async def check_moved(link: RedisLink) -> None:
    store = RedisStore(link)
    assert await store.read(SessionId("a1", "1"), HOUR) == b"session 1"
    assert await store.count("wrong", HOUR) == 4
    assert await store.count("newer", HOUR) == 8
    left = await store.held_for("endless")
    assert left is not None
    assert left <= RETENTION
    assert await link.client.zscore("whisper:1:{a1}:leases:stream", "x") == 1
    assert await store.delete_all("a1") == 3
    assert [key async for key in link.client.scan_iter("whisper:0:*")] == []


def test_the_layout_before_is_moved_with_its_ends_and_what_is_newer_stays(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        seed(server.client)
        assert sweep(server.address).mended["moved"] == 8
        assert 3_000 < server.client.ttl("whisper:1:{a1}:session:1") <= 3_600
        assert 3_000 < server.client.ttl("whisper:1:{a1}:sessions") <= 3_600
        use(server.address, check_moved)
        server.client.delete("whisper:1:swept")
        assert "moved" not in sweep(server.address).mended


def test_in_a_cluster_keys_are_moved_between_its_servers(tmp_path: Path) -> None:
    with redis_cluster(tmp_path) as address:
        host, _, port = address.removeprefix("redis+cluster://").split(",")[0].partition(":")
        client = redis.cluster.RedisCluster(host, int(port))
        try:
            seed(client)
            told = sweep(address)
        finally:
            client.close()
        assert told.mended["moved"] == 8
        use(address, check_moved)


def test_who_may_not_look_through_the_keys_is_told_and_sessions_go_on(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        server.client.execute_command("ACL SETUSER speech on >secret ~whisper:* +@all -scan")
        address = server.address.replace("redis://", "redis://speech:secret@")

        async def work(link: RedisLink) -> None:
            told = Told()
            with pytest.raises(StoreUnavailable):
                await Sweeper(link, RETENTION, lambda: NOW, told).take_turn(INTERVAL)
            assert await RedisStore(link).count("x", HOUR) == 1

        use(address, work)
