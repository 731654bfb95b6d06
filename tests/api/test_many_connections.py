"""A thousand connections that say nothing, or little, keep nobody from being answered."""

import asyncio
import json
import resource
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.api.test_serving import KEY, Process, serving, transcribe
from whisper_contract.surface import STREAM_PATH

pytestmark = pytest.mark.slow

MANY = 1000
MOST_BYTES_EACH = 64 * 1024
MOST_BYTES_OF_A_STREAM = 128 * 1024
AT_ONCE = 20
"""Streams that are opened at the same time."""


@pytest.fixture
def _files() -> Iterator[None]:
    """Let the test open as many, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * MANY)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def open_all(server: Process) -> list[asyncio.StreamWriter]:
    """Open them: every second one begins a request, and does not go on."""
    address = urlsplit(server.url)
    opened = [await asyncio.open_connection(address.hostname, address.port) for _ in range(MANY)]
    for _, writer in opened[::2]:
        writer.write(b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    return [writer for _, writer in opened]


def good_requests(server: Process, count: int) -> list[float]:
    """Send what a good client sends; return how long each took."""
    times = []
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=30) as client:
        for _ in range(count):
            began = time.monotonic()
            assert client.get("/v1/models").status_code == 200
            times.append(time.monotonic() - began)
    return times


@pytest.mark.usefixtures("_files")
def test_good_requests_are_answered_beside_a_thousand_idle_connections(clip: Path) -> None:
    with serving(WHISPER_THREADS="1", WHISPER_LOG_LEVEL="warning") as server:
        server.wait_until_ready()
        assert transcribe(server, clip).status_code == 200
        before = psutil.Process(server.process.pid).memory_info().rss

        async def beside() -> tuple[list[float], int, int]:
            writers = await open_all(server)
            times = await asyncio.to_thread(good_requests, server, 20)
            memory = psutil.Process(server.process.pid).memory_info().rss
            answer = await asyncio.to_thread(transcribe, server, clip)
            for writer in writers:
                writer.close()
            return times, memory, answer.status_code

        times, memory, status = asyncio.run(beside())
    each = (memory - before) / MANY
    assert status == 200
    assert statistics.median(times) < 1.0
    assert each < MOST_BYTES_EACH


async def open_streams(server: Process, count: int) -> list[ClientConnection]:
    """Open streams, and say nothing."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> ClientConnection:
        async with gate:
            connection = await connect(
                server.url.replace("http", "ws", 1) + STREAM_PATH,
                additional_headers={"Authorization": f"Bearer {KEY}"},
                compression=None,
                ping_interval=None,
                open_timeout=60,
            )
            await connection.send(json.dumps({"type": "start", "language": "en"}))
            assert json.loads(await connection.recv())["type"] == "ready"
            return connection

    return await asyncio.gather(*(one() for _ in range(count)))


@pytest.mark.usefixtures("_files")
def test_a_thousand_idle_streams_are_held_by_one_process(clip: Path) -> None:
    room = {
        "WHISPER_MAX_BACKLOG_SECONDS": "100000",
        "WHISPER_CONCURRENT_REQUESTS": "2000",
        "WHISPER_CONCURRENT_STREAMS": "2000",
        "WHISPER_MAX_STREAMS": "2000",
    }
    with serving(WHISPER_THREADS="1", WHISPER_LOG_LEVEL="warning", **room) as server:
        server.wait_until_ready()
        assert transcribe(server, clip).status_code == 200
        before = psutil.Process(server.process.pid).memory_info().rss

        async def beside() -> tuple[str, int, list[float], int]:
            streams = await open_streams(server, MANY)
            metrics = await asyncio.to_thread(httpx.get, f"{server.management_url}/metrics", timeout=30)
            memory = psutil.Process(server.process.pid).memory_info().rss
            times = await asyncio.to_thread(good_requests, server, 20)
            answer = await asyncio.to_thread(transcribe, server, clip)
            assert all(stream.close_code is None for stream in streams)
            for stream in streams:
                stream.transport.abort()
            return metrics.text, memory, times, answer.status_code

        metrics, memory, times, status = asyncio.run(beside())
    each = (memory - before) / MANY
    assert f"whisper_streams {MANY:.1f}" in metrics
    assert status == 200
    assert statistics.median(times) < 1.0
    assert each < MOST_BYTES_OF_A_STREAM
