"""A thousand connections: what each holds of memory, and how long a message waits among them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from websockets.asyncio.client import ClientConnection

from tests.benchmarks.streams.figures import percentile
from tests.benchmarks.streams.server import KEY, Server, serving
from tests.benchmarks.streams.speaker import Speakers, frames
from tests.benchmarks.streams.speech import silence

_AT_ONCE: Final = 20
"""Connections that are opened at the same time."""
_PROBES: Final = 200


@dataclass(frozen=True, slots=True)
class Crowd:
    """Streams that are open at once, few of which say anything."""

    connections: int
    bytes_each: float
    """Memory of the server that each took."""
    core_share: float
    """Of a core, while nobody says anything."""
    ping_p95: float
    """Seconds until the server answers a ping of the protocol: how long its event loop lets a message wait."""
    message_p95: float
    """Seconds from `start` to `ready`, and from `finish` to `closed` with a tenth of a second of silence between."""
    request_p95: float
    """Seconds of `GET /v1/models` beside them."""


def measure_crowd(model: Path, connections: int, core: int | None) -> Crowd:
    """Open so many, wait, and ask."""
    with serving(model, core) as server:
        return asyncio.run(_measure(server, connections))


async def _measure(server: Server, connections: int) -> Crowd:
    speakers = Speakers(server.url, KEY)
    await _say_little(speakers)  # what is done once is done
    before = server.resident_bytes
    async with _open(speakers, connections) as opened:
        each = (server.resident_bytes - before) / connections
        cores, began = server.core_seconds, time.monotonic()
        await asyncio.sleep(10)
        share = (server.core_seconds - cores) / (time.monotonic() - began)
        pings = [await _ping(opened[number % len(opened)]) for number in range(_PROBES)]
        messages = [seconds for _ in range(_PROBES // 2) for seconds in await _say_little(speakers)]
        requests = await _ask(server)
    return Crowd(connections, each, share, percentile(pings, 95), percentile(messages, 95), percentile(requests, 95))


@asynccontextmanager
async def _open(speakers: Speakers, connections: int) -> AsyncIterator[list[ClientConnection]]:
    gate = asyncio.Semaphore(_AT_ONCE)
    async with AsyncExitStack() as stack:

        async def one() -> ClientConnection:
            async with gate:
                connection = await stack.enter_async_context(speakers.connect())
                await connection.send(json.dumps({"type": "start", "language": "en"}))
                await connection.recv()
                return connection

        yield await asyncio.gather(*(one() for _ in range(connections)))


async def _ping(connection: ClientConnection) -> float:
    return float(await (await connection.ping()))


async def _say_little(speakers: Speakers) -> tuple[float, float]:
    """Open another stream that says nothing; return how long its two answers took."""
    async with speakers.connect() as connection:
        began = time.monotonic()
        await connection.send(json.dumps({"type": "start", "language": "en"}))
        await connection.recv()
        opened = time.monotonic()
        for frame in frames(silence(0.1)):
            await connection.send(frame)
        await connection.send(json.dumps({"type": "finish"}))
        await connection.recv()
        return opened - began, time.monotonic() - opened


async def _ask(server: Server) -> list[float]:
    times = []
    async with httpx.AsyncClient(base_url=server.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60) as client:
        for _ in range(_PROBES):
            began = time.monotonic()
            (await client.get("/v1/models")).raise_for_status()
            times.append(time.monotonic() - began)
    return times
