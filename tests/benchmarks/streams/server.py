"""A server of the benchmark: a process of its own, on one core if it is said which."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import psutil

from whisper_operator.play.ports import free_port

KEY: Final = "benchmark-key-of-no-value"
_START_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Server:
    """A running one."""

    process: psutil.Popen
    url: str
    management_url: str

    @property
    def core_seconds(self) -> float:
        """Processor time that it took so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    @property
    def resident_bytes(self) -> int:
        """Memory that it holds."""
        return int(self.process.memory_info().rss)

    def end(self) -> None:
        """Kill it, if it still runs."""
        with suppress(psutil.NoSuchProcess):
            self.process.kill()
        self.process.wait()

    def wait_until_ready(self) -> None:
        """Wait until it has transcribed its first sound."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(f"{self.management_url}/ready").is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"the server was not ready within {_START_SECONDS} s")


def start_server(model: Path, core: int | None = None, settings: Mapping[str, str] | None = None) -> Server:
    """Start a server with one thread for its engine."""
    port, management = free_port(), free_port()
    command = [sys.executable, "-m", "whisper_inference", "serve", "--model", str(model), "--device", "cpu"]
    command += ["--port", str(port), "--management-port", str(management)]
    defaults = {
        "WHISPER_API_KEY": KEY,
        "WHISPER_THREADS": "1",
        "WHISPER_LOG_LEVEL": "warning",
        "WHISPER_MAX_BACKLOG_SECONDS": "100000",
        "WHISPER_CONCURRENT_REQUESTS": "10000",
        "WHISPER_CONCURRENT_STREAMS": "10000",
        "WHISPER_MAX_STREAMS": "10000",
        "WHISPER_STREAM_MEASURED": "false",
        "WHISPER_RATE_TRANSCRIPTIONS": "unlimited",
        "WHISPER_RATE_READS": "unlimited",
        "WHISPER_MAX_CONNECTIONS": "3000",
    }
    process = psutil.Popen(command, env=os.environ | defaults | dict(settings or {}), stdout=subprocess.DEVNULL)
    if core is not None:
        process.cpu_affinity([core])
    return Server(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{management}")


@contextmanager
def serving(model: Path, core: int | None = None) -> Iterator[Server]:
    """Serve until the context is left."""
    server = start_server(model, core)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.end()
