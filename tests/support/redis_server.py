"""Real Redis servers on loopback: one, a cluster of three, or one that Sentinel watches."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import redis

from whisper_operator.play.ports import free_port

_SLOTS: Final = 16384
_HIGHEST_PORT: Final = 65535 - 10000
_PATIENCE_SECONDS: Final = 30


def find_redis() -> str:
    """Return the program, or skip the test."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server: install the package redis-server")
    return program


class RedisServer:
    """One process."""

    def __init__(self, folder: Path, *options: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self._folder = folder
        self._options = options
        # Its types say that every answer may be awaitable.
        self.client: Any = redis.Redis(port=self.port)
        folder.mkdir(parents=True, exist_ok=True)
        self.start()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        common = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", "")
        self._process = subprocess.Popen((find_redis(), *self._options, *common), stdout=subprocess.DEVNULL)
        try:
            _wait(lambda: bool(self.client.ping()))
        except BaseException:
            self.stop()
            raise

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def stop(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        self.client.close()


@contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    """Run one server."""
    server = RedisServer(folder)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def redis_cluster(folder: Path) -> Iterator[str]:
    """Run a cluster of three; yield its address."""
    with ExitStack() as stack:
        servers = []
        for number in range(3):
            server = RedisServer(folder / str(number), "--cluster-enabled", "yes", port=_low_port())
            stack.callback(server.stop)
            servers.append(server)
        for number, server in enumerate(servers):
            first, last = number * _SLOTS // 3, (number + 1) * _SLOTS // 3 - 1
            server.client.execute_command("CLUSTER ADDSLOTSRANGE", first, last)
            server.client.execute_command("CLUSTER MEET", "127.0.0.1", servers[0].port)
        _wait(lambda: all("ok" in server.client.cluster("INFO").values() for server in servers))
        yield f"redis+cluster://127.0.0.1:{servers[1].port},127.0.0.1:{servers[2].port}"


@contextmanager
def redis_sentinel(folder: Path) -> Iterator[str]:
    """Run a server and what watches it; yield the address of the latter."""
    with redis_server(folder / "master") as server:
        watcher = folder / "sentinel"
        watcher.mkdir()
        settings = watcher / "sentinel.conf"
        settings.write_text(f"sentinel monitor speech 127.0.0.1 {server.port} 1\n")
        sentinel = RedisServer(watcher, str(settings), "--sentinel")
        try:
            yield f"redis+sentinel://127.0.0.1:{sentinel.port}/speech/0"
        finally:
            sentinel.stop()


def _low_port() -> int:
    """A member of a cluster listens on another port, too, 10,000 above the first."""
    while (port := free_port()) > _HIGHEST_PORT:
        pass
    return port


def _wait(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            if happened():
                return
        except redis.RedisError:
            pass
        time.sleep(0.02)
    pytest.fail("Redis did not come up")
