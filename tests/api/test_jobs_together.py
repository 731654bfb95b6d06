"""Two server processes and one Redis: a job outlives its worker, and hears of its owner wherever that speaks."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.api.conftest import EXAMPLES
from tests.api.test_serving import KEY, Process, serving
from tests.support.audio_samples import BY_NAME, encode
from tests.support.checkpoints import read_clips
from tests.support.patience import eventually
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.slow

PATH = "/api/v1/jobs"


@pytest.fixture(scope="module")
def recording() -> bytes:
    """Four minutes: three pieces."""
    clip = next(clip for clip in read_clips(EXAMPLES / "audio") if clip.name == "unseen_long0.flac")
    samples = clip.samples()
    return encode(np.tile(samples, 4), BY_NAME["wav_16k"])


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that the test may stop."""
    server = RedisServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def servers(redis: RedisServer, request: pytest.FixtureRequest) -> Iterator[list[Process]]:
    """Two processes, as two pods of one resource; the parameter is the lease in seconds."""
    with ExitStack() as stack:
        settings = {"WHISPER_REDIS_URL": redis.address, "WHISPER_JOB_LEASE_SECONDS": getattr(request, "param", "3")}
        found = [stack.enter_context(serving(**settings)) for _ in range(2)]
        for server in found:
            server.wait_until_ready()
        yield found


def ask(server: Process, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
    headers = {"Authorization": f"Bearer {KEY}"}
    return httpx.request(method, f"{server.url}{path}", headers=headers, timeout=60, **more)


def send(server: Process, recording: bytes) -> str:
    """Send a job; return its link."""
    form: dict[str, Any] = {"data": {"model": "whisper-1", "response_format": "verbose_json"}}
    taken = ask(server, "POST", PATH, files={"file": ("x.wav", recording)}, **form)
    assert taken.status_code == 202
    assert taken.json()["durable"] is True
    assert taken.json()["notice"] is None
    return str(taken.headers["Location"])


def works(server: Process) -> bool:
    return "whisper_jobs_running 1.0" in httpx.get(f"{server.management_url}/metrics").text


def worker_of(servers: list[Process]) -> tuple[Process, Process]:
    """Wait until one of them works at the job; return it and the other."""
    one, two = servers
    eventually(lambda: works(one) or works(two))
    return (one, two) if works(one) else (two, one)


def read(server: Process, link: str) -> dict[str, Any]:
    found: dict[str, Any] = ask(server, "GET", link).json()
    return found


def test_a_job_whose_worker_is_killed_goes_on_where_it_was_on_another(
    servers: list[Process], redis: RedisServer, recording: bytes
) -> None:
    link = send(servers[0], recording)
    worker, other = worker_of(servers)
    eventually(lambda: read(other, link), lambda job: 0.3 < job["progress"] < 0.9)
    worker.process.kill()
    worker.process.wait()
    parts = redis.client.hlen(f"whisper:1:{{{link.rpartition('/')[2]}}}:parts")
    assert parts >= 1
    assert read(other, link)["status"] == "running"
    done = eventually(lambda: read(other, link), lambda job: job["finished_at"] is not None)
    assert (done["status"], done["progress"]) == ("succeeded", 1.0)
    result = ask(other, "GET", f"{link}/result").json()
    assert result["duration"] == pytest.approx(4 * 65.3, abs=0.5)
    starts = [segment["start"] for segment in result["segments"]]
    assert starts == sorted(starts)
    assert [segment["id"] for segment in result["segments"]] == list(range(len(starts)))
    assert result["segments"][-1]["end"] > 3.5 * 65
    kept = {name.rpartition(b":")[2] for name in redis.client.keys("whisper:1:{job_*")}
    assert kept == {b"result"}


@pytest.mark.parametrize("servers", ["600"], indirect=True)
def test_a_worker_that_stops_hands_its_job_over_at_once(servers: list[Process], recording: bytes) -> None:
    link = send(servers[0], recording)
    worker, other = worker_of(servers)
    worker.process.send_signal(signal.SIGTERM)
    eventually(lambda: works(other))  # although the lease has not ended
    assert worker.process.wait(30) == 0
    assert ask(other, "DELETE", link).json()["status"] == "cancelled"


def test_a_job_is_cancelled_through_any_replica_and_its_audio_is_gone(
    servers: list[Process], redis: RedisServer, recording: bytes
) -> None:
    link = send(servers[0], recording)
    worker, other = worker_of(servers)
    assert ask(other, "DELETE", link).json()["status"] == "cancelled"
    assert redis.client.keys("whisper:1:{job_*") == []
    eventually(lambda: "whisper_jobs_running 0.0" in httpx.get(f"{worker.management_url}/metrics").text)
    eventually(lambda: redis.client.keys("whisper:1:{job_*") == [])


def test_without_redis_jobs_are_unavailable_and_a_running_one_goes_on_when_it_is_back(
    servers: list[Process], redis: RedisServer, clip: Path
) -> None:
    redis.stop()
    refused = ask(servers[0], "POST", PATH, files={"file": ("x.wav", clip.read_bytes())}, data={"model": "whisper-1"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "session_store_unavailable")
    assert ask(servers[1], "GET", PATH).status_code == 503
    redis.start()
    link = eventually(lambda: send(servers[0], clip.read_bytes()))
    eventually(lambda: read(servers[1], link)["status"] == "succeeded")
