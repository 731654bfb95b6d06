"""The server as a process: what it prints, what it refuses, how it stops."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import EXAMPLES
from tests.support.patience import eventually
from whisper_operator.play.ports import free_port

KEY = "a-key-for-tests-only"
DEMO = str(EXAMPLES / "models/demo")
_START_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Process:
    """A running server."""

    process: subprocess.Popen[str]
    url: str
    management_url: str

    def wait_until_ready(self) -> None:
        """Wait for the first real transcript."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.management_url}/ready").is_success:
                    return
            time.sleep(0.05)
        self.process.kill()
        pytest.fail(f"not ready: {self.process.wait()}, {self.process.communicate()[1]}")


def command(*arguments: str) -> list[str]:
    """The command line."""
    return [sys.executable, "-m", "whisper_inference", "serve", "--device", "cpu", *arguments]


def environment(key: str | None = KEY) -> dict[str, str]:
    """Ours, with or without a key."""
    ours = ("WHISPER_", "KUBERNETES_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | ({"WHISPER_API_KEY": key} if key else {})


@contextmanager
def serving(model: str = DEMO, key: str | None = KEY, **variables: str) -> Iterator[Process]:
    """Serve until the context is left."""
    port, management = free_port(), free_port()
    process = subprocess.Popen(
        command("--model", model, "--port", str(port), "--management-port", str(management)),
        env=environment(key) | variables,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Process(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{management}")
    finally:
        process.kill()
        process.communicate()


def phase(server: Process) -> tuple[int, str]:
    """What probes are told."""
    answer = httpx.get(f"{server.management_url}/ready")
    return answer.status_code, answer.json()["status"]


def transcribe(server: Process, clip: Path) -> httpx.Response:
    """Send a file."""
    with clip.open("rb") as file:
        return httpx.post(
            f"{server.url}/v1/audio/transcriptions",
            headers={"Authorization": f"Bearer {KEY}"},
            data={"model": "whisper-1"},
            files={"file": file},
            timeout=60,
        )


def test_a_stop_finishes_what_is_in_flight_and_takes_nothing_new(clip: Path, long_clip: Path) -> None:
    with serving(WHISPER_LEAVING_SECONDS="0.1") as server, ThreadPoolExecutor() as pool:
        server.wait_until_ready()
        in_flight = [pool.submit(transcribe, server, long_clip) for _ in range(3)]
        while "whisper_slots_in_use 0.0" in httpx.get(f"{server.management_url}/metrics").text:
            time.sleep(0.01)
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: phase(server) == (503, "draining"))
        late = transcribe(server, clip)
        assert [each.result().status_code for each in in_flight] == [200, 200, 200]
        # A client that keeps its connection is sent elsewhere with its next request, instead of being refused.
        assert [each.result().headers["Connection"] for each in in_flight] == ["close"] * 3
        assert late.status_code == 503
        assert late.json()["error"]["code"] == "shutting_down"
        assert late.headers["Retry-After"]
        assert server.process.wait(30) == 0


def test_a_server_that_leaves_answers_whoever_still_comes_and_ends_their_connections(clip: Path) -> None:
    with (
        serving(WHISPER_LEAVING_SECONDS="600") as server,
        httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60) as kept,
    ):
        server.wait_until_ready()
        before = kept.get("/v1/models")
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: phase(server) == (503, "leaving"))
        still = [kept.get("/v1/models"), kept.get("/v1/models"), transcribe(server, clip)]
    assert "Connection" not in before.headers
    assert [(each.status_code, each.headers["Connection"]) for each in still] == [(200, "close")] * 3


def test_a_key_file_that_is_written_anew_is_obeyed_without_a_restart(tmp_path: Path, clip: Path) -> None:
    file = tmp_path / "API_KEY"
    file.write_text("the-key-before-this-one")
    with serving(key=None, WHISPER_API_KEY_FILE=str(file)) as server:
        server.wait_until_ready()
        assert transcribe(server, clip).status_code == 401
        file.write_text(KEY)
        deadline = time.monotonic() + 30
        while transcribe(server, clip).status_code == 401 and time.monotonic() < deadline:
            time.sleep(0.5)
        assert transcribe(server, clip).status_code == 200


def test_what_opens_a_server_that_was_given_nothing_is_printed_once() -> None:
    with serving(key=None) as server:
        server.wait_until_ready()
        server.process.send_signal(signal.SIGTERM)
        _, printed = server.process.communicate(timeout=30)
    made = re.findall(r"^ {2}(?:API key|Password of the user admin) +([\w-]{22,})$", printed, flags=re.MULTILINE)
    assert len(made) == 2
    assert all(printed.count(secret) == 1 for secret in made)


@pytest.mark.parametrize(
    ("arguments", "key", "sentence"),
    [
        (["--model", DEMO, "--host", "0.0.0.0"], None, "needs a key"),  # noqa: S104 - that is what is refused
        (["--model", DEMO], "short", "at least 16"),
        (["--model", "/no/such/model"], KEY, "/no/such/model"),
        (["--model", DEMO, "--device", "npu"], KEY, "NPU"),
        (["--model", DEMO, "--precision", "int8", "--engine", "pytorch"], KEY, "int8"),
    ],
)
def test_what_cannot_be_served_ends_with_a_sentence(arguments: list[str], key: str | None, sentence: str) -> None:
    ports = ["--port", str(free_port()), "--management-port", str(free_port())]
    ended = subprocess.run(
        command(*arguments, *ports), env=environment(key), capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode != 0
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr


def test_in_a_cluster_nothing_is_made() -> None:
    inside = environment(key=None) | {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    ended = subprocess.run(
        command("--model", DEMO), env=inside, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert "here nothing is made" in ended.stderr
    assert "Password" not in ended.stderr


def test_a_port_that_is_taken_ends_the_server() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            command("--model", DEMO, "--port", port, "--management-port", str(free_port())),
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode != 0
    assert "address already in use" in ended.stderr
