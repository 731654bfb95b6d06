"""Replicas that share a Redis and this machine, behind one address; each is a process, the address is another."""

import asyncio
import multiprocessing
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import httpx

from tests.benchmarks.streams.front import Front
from tests.benchmarks.streams.server import Server, start_server
from tests.support.keys import make_account_key
from tests.support.redis_server import redis_server
from tests.support.samples import samples
from whisper_inference.security.roles import Role

_SETTINGS: Final = {
    "WHISPER_SECRET_KEY": "of-no-value-but-long-enough-48151623",
    "WHISPER_ADVERTISED_HOST": "127.0.0.1",
    # A server's own defaults: what they hold off is part of what is measured.
    "WHISPER_MAX_BACKLOG_SECONDS": "1800",
    "WHISPER_STREAM_MEASURED": "true",
    "WHISPER_MAX_CONNECTIONS": "2000",
    "WHISPER_MAX_STREAMS": "512",
}
_IMAGE: Final = Path("inference/Dockerfile")
_START_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Fleet:
    """Running replicas."""

    url: str
    """Of the address in front of them."""
    keys: Mapping[str, str]
    """By name."""
    servers: Sequence[Server]

    def resident_mib(self) -> list[float]:
        """Memory of each."""
        return [server.resident_bytes / 2**20 for server in self.servers]

    def core_seconds(self) -> float:
        """Processor time that all took so far."""
        return sum(server.core_seconds for server in self.servers)

    def metric(self, name: str) -> list[float]:
        """What each publishes under a name, over all labels."""
        pages = (httpx.get(f"{server.management_url}/metrics", timeout=60).text for server in self.servers)
        return [sum(samples(page, name)) for page in pages]


@contextmanager
def running_fleet(model: Path, replicas: int, keys: Sequence[str]) -> Iterator[Fleet]:
    """Run so many replicas, which know keys of these names, until the context is left."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(redis_server(folder))
        made = {name: make_account_key(name, Role.TRANSCRIBER, now=datetime.now(UTC)) for name in keys}
        accounts = folder / "accounts.yaml"
        accounts.write_text("keys:\n" + "".join(entry for _, entry in made.values()) if made else "{}")
        shared = {"WHISPER_REDIS_URL": redis.address, "WHISPER_ACCOUNTS_FILE": str(accounts)}
        settings = _SETTINGS | _memory_settings() | shared
        servers = []
        for _ in range(replicas):  # one after another: a start takes all cores
            server = start_server(model, settings=settings)
            stack.callback(server.end)
            server.wait_until_ready()
            servers.append(server)
        url = stack.enter_context(_front([server.url for server in servers]))
        yield Fleet(url, {name: key for name, (key, _) in made.items()}, servers)


def _memory_settings() -> dict[str, str]:
    """Return what the image tells the C library."""
    return dict(re.findall(r"\b(MALLOC_\w+)=(\S+)", _IMAGE.read_text()))


@contextmanager
def _front(urls: list[str]) -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(urls, theirs), daemon=True)
    process.start()
    try:
        if not mine.poll(_START_SECONDS):
            raise RuntimeError("the address in front of the replicas did not start")
        yield str(mine.recv())
    finally:
        process.kill()
        process.join()


def _serve(urls: list[str], parent: Connection) -> None:
    async def whole() -> None:
        async with Front(urls).serve() as url:
            parent.send(url)
            await asyncio.Event().wait()

    asyncio.run(whole())
