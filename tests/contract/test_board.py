"""The board on a real Redis, and on a cluster of them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.redis_server import redis_cluster, redis_server
from whisper_inference.replicas.board import Board
from whisper_inference.sessions.availability import Availability
from whisper_inference.sessions.redis_address import connect
from whisper_inference.sessions.redis_link import RedisLink

LONG = timedelta(minutes=1)
SHORT = timedelta(milliseconds=150)


@pytest.fixture(scope="module", params=["redis", "cluster"])
def board_address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the board is."""
    folder: Path = tmp_path_factory.mktemp("board")
    if request.param == "cluster":
        with redis_cluster(folder) as address:
            yield address
    else:
        with redis_server(folder) as server:
            yield server.address


def use(address: str, work: Callable[[Board], Awaitable[None]]) -> None:
    """Open a board, use it, and close it."""

    async def whole() -> None:
        link = RedisLink(connect(address), Availability(time.monotonic, lambda _: None))
        try:
            await work(Board(link))
        finally:
            await link.close()

    asyncio.run(whole())


def test_each_reads_what_the_others_last_said(board_address: str) -> None:
    async def work(board: Board) -> None:
        assert await board.exchange("g", "one", b"1 old", LONG) == []
        assert await board.exchange("g", "two", b"2", LONG) == [b"1 old"]
        assert await board.exchange("g", "one", b"1 new", LONG) == [b"2"]
        assert sorted(await board.exchange("g", "three", b"\x003", LONG)) == [b"1 new", b"2"]
        assert await board.exchange("another", "four", b"4", LONG) == []

    use(board_address, work)


def test_who_leaves_is_gone_at_once_and_who_falls_silent_soon(board_address: str) -> None:
    async def work(board: Board) -> None:
        for name in ("stays", "leaves", "dies"):
            await board.exchange("h", name, name.encode(), SHORT if name == "dies" else LONG)
        await board.withdraw("h", "leaves")
        assert sorted(await board.exchange("h", "me", b"me", LONG)) == [b"dies", b"stays"]
        await asyncio.sleep(2 * SHORT.total_seconds())
        assert await board.exchange("h", "me", b"me", LONG) == [b"stays"]

    use(board_address, work)


def test_nothing_stays_when_all_are_gone(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:

        async def work(board: Board) -> None:
            await board.exchange("i", "one", b"1", SHORT)
            assert server.client.keys() == [b"whisper:1:{i}:replicas"]
            await asyncio.sleep(2 * SHORT.total_seconds())
            assert server.client.keys() == []

        use(server.address, work)
