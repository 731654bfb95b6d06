"""The systems under measurement, each in its own process: ours over HTTP, the peers through their Python packages."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import httpx
import psutil

from tests.benchmarks.worker import Job, Outcome, peak_rss_bytes
from whisper_operator.play.ports import free_port

_KEY = "benchmark-key-of-no-value"
_START_SECONDS = 300


class Contestant(Protocol):
    """A running system that answers jobs."""

    name: str
    in_flight: int

    def run(self, job: Job) -> Outcome:
        """Transcribe the clips with `in_flight` requests at once."""
        ...

    def close(self) -> None:
        """End the process."""
        ...


@dataclass(frozen=True, slots=True)
class PeerSetup:
    """How to start a peer."""

    name: str
    module: str
    model: Path
    python: Path
    """The interpreter of the peers' own virtual environment: their pins conflict with ours."""


class PeerProcess:
    """A peer's worker and the pipe to it."""

    def __init__(self, setup: PeerSetup, *, in_flight: int, cores: int) -> None:
        self.name, self.in_flight = setup.name, in_flight
        command = [setup.python, "-m", "tests.benchmarks.peers", setup.module, setup.model, str(in_flight), str(cores)]
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._read()

    def run(self, job: Job) -> Outcome:
        """Transcribe the clips with `in_flight` requests at once."""
        if self._process.stdin is None:
            raise RuntimeError("the worker has no standard input")
        self._process.stdin.write(json.dumps(asdict(job)) + "\n")
        self._process.stdin.flush()
        return Outcome(**json.loads(self._read()))

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _read(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout else ""
        while line and not line.startswith(("{", '"ready"')):  # libraries print to standard output, too
            line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"{self.name} ended without an answer")
        return line


class OurServer:
    """`whisper-inference serve`, spoken to over HTTP; its processor time leaves out the client's."""

    def __init__(self, model: Path, *, in_flight: int, cores: int, options: Sequence[str] = ()) -> None:
        self.name, self.in_flight = "whisper-operator", in_flight
        port, management = free_port(), free_port()
        command = [sys.executable, "-m", "whisper_inference", "serve", "--model", str(model), "--device", "cpu"]
        command += ["--port", str(port), "--management-port", str(management), *options]
        environment = os.environ | {"WHISPER_API_KEY": _KEY, "WHISPER_THREADS": str(cores)}
        self._process = psutil.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {_KEY}"},
            timeout=600,
            limits=httpx.Limits(max_connections=64),
        )
        self._wait_until_ready()

    def run(self, job: Job) -> Outcome:
        """Transcribe the clips with `in_flight` requests at once."""
        wall, core = time.perf_counter(), self._core_seconds()
        with ThreadPoolExecutor(self.in_flight) as pool:
            texts = list(pool.map(lambda clip: self._transcribe(clip, job), job.clips))
        elapsed = time.perf_counter() - wall
        return Outcome(texts, elapsed, self._core_seconds() - core, peak_rss_bytes(self._process.pid))

    def close(self) -> None:
        """End the process."""
        self._client.close()
        self._process.terminate()
        self._process.wait(60)

    def _transcribe(self, clip: str, job: Job) -> str:
        form = {"model": "whisper-1"}
        if job.settings == "same":
            form |= {"language": "en", "temperature": "0", "guard": "false", "response_format": "verbose_json"}
        with Path(clip).open("rb") as file:
            response = self._client.post("/v1/audio/transcriptions", data=form, files={"file": file})
        response.raise_for_status()
        return str(response.json()["text"])

    def _core_seconds(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if self._client.get("/ready").is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        raise RuntimeError(f"the server was not ready within {_START_SECONDS} s")
