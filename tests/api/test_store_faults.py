"""A Redis that is away, hangs, is full or is a copy, under a real server and load: keys go on, sessions wait for it."""

import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import EXAMPLES, PASSWORD
from tests.support.patience import eventually
from tests.support.redis_server import RedisServer
from tests.support.running_server import KEY, RunningServer, running_server
from tests.support.samples import samples
from whisper_inference.settings import ServerSettings

pytestmark = pytest.mark.slow

DAY_MILLISECONDS = 86_400_000
GONE = -2
"""What Redis says of the end of a key that is there no more."""


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that the test may hurt."""
    server = RedisServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def server(redis_server: RedisServer) -> Iterator[RunningServer]:
    """A server that keeps its sessions there."""
    settings = ServerSettings(
        model=str(EXAMPLES / "models/demo"),
        device="cpu",
        api_key=KEY,
        admin_password=PASSWORD,
        secret_key="the-secret-key-of-the-tests-0123456789",
        redis_url=redis_server.address,
        argon2_memory_kib=8192,
        rate_reads="40/minute",
    )
    with running_server(settings) as running:
        yield running


def log_in(server: RunningServer) -> httpx.Response:
    return httpx.post(f"{server.url}/api/v1/auth/login", json={"username": "admin", "password": PASSWORD}, timeout=30)


def models(server: RunningServer, token: str) -> httpx.Response:
    return httpx.get(f"{server.url}/v1/models", headers={"Authorization": f"Bearer {token}"}, timeout=30)


def transcribe(server: RunningServer, clip: Path) -> int:
    return httpx.post(
        f"{server.url}/v1/audio/transcriptions",
        headers=server.headers,
        data={"model": "whisper-1"},
        files={"file": clip.read_bytes()},
        timeout=60,
    ).status_code


def metric(server: RunningServer, name: str) -> float:
    """Add up a metric over its labels."""
    return sum(samples(httpx.get(f"{server.management_url}/metrics").text, name))


def said(caplog: pytest.LogCaptureFixture, sentence: str) -> int:
    """How often the log says something."""
    return sum(sentence in record.getMessage() for record in caplog.records)


class Slammer:
    """Listens where the Redis was, and closes each connection at once."""

    def __init__(self, port: int) -> None:
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._slam, daemon=True).start()

    def _slam(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def stop(self) -> None:
        """Listen no more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def test_while_redis_is_away_load_makes_no_storm_and_all_comes_back_by_itself(
    server: RunningServer, redis_server: RedisServer, clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = log_in(server).json()["token"]
    assert models(server, token).status_code == 200
    redis_server.stop()
    slammer = Slammer(redis_server.port)
    began = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        transcripts = [pool.submit(transcribe, server, clip) for _ in range(3)]
        by_session = [pool.submit(models, server, token) for _ in range(150)]
        by_key = [pool.submit(models, server, KEY) for _ in range(60)]
        answers = [each.result() for each in by_session]
        keys = Counter(each.result().status_code for each in by_key)
        assert [each.result() for each in transcripts] == [200, 200, 200]
    seconds = time.monotonic() - began
    assert {each.status_code for each in answers} == {503}
    assert all(int(each.headers["Retry-After"]) >= 1 for each in answers)
    # Limits do not open: this process counts for itself.
    assert keys == {200: 40, 429: 20}
    # One attempt in each pause, which grows from half a second; each may be three connections, and as many again
    # for what was open before.
    assert slammer.connections <= 30 + 6 * seconds
    assert said(caplog, "does not answer") == 1
    assert metric(server, "whisper_session_store_up") == 0
    slammer.stop()
    redis_server.start()
    eventually(lambda: log_in(server).status_code, lambda found: found == 200)
    assert said(caplog, "answers again") == 1
    assert metric(server, "whisper_session_store_up") == 1


@contextmanager
def stopped(redis_server: RedisServer) -> Iterator[None]:
    """Let it accept connections, and answer none."""
    redis_server.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        redis_server.signal(signal.SIGCONT)


def test_a_redis_that_hangs_hangs_nobody(server: RunningServer, redis_server: RedisServer, clip: Path) -> None:
    token = log_in(server).json()["token"]

    def timed(_: int) -> float:
        began = time.monotonic()
        assert models(server, token).status_code == 503
        return time.monotonic() - began

    with stopped(redis_server), ThreadPoolExecutor(64) as pool:
        assert max(pool.map(timed, range(64))) < 20
        began = time.monotonic()
        assert transcribe(server, clip) == 200
        assert time.monotonic() - began < 20
    eventually(lambda: models(server, token).status_code, lambda found: found == 200)


@pytest.mark.parametrize(
    ("hurt", "mend"),
    [("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"), ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE")],
    ids=["full", "a copy"],
)
def test_a_redis_that_takes_nothing_is_no_defect_of_the_server(
    server: RunningServer,
    redis_server: RedisServer,
    clip: Path,
    caplog: pytest.LogCaptureFixture,
    hurt: str,
    mend: str,
) -> None:
    assert log_in(server).status_code == 200
    redis_server.client.execute_command(hurt)
    for _ in range(3):
        refused = log_in(server)
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "session_store_unavailable"
        assert int(refused.headers["Retry-After"]) >= 1
    assert transcribe(server, clip) == 200
    assert said(caplog, "refuses what it is asked") == 1
    assert metric(server, "whisper_session_store_refusals_total") >= 3
    redis_server.client.execute_command(mend)
    eventually(lambda: log_in(server).status_code, lambda found: found == 200)


def test_every_key_that_a_server_writes_has_an_end(
    server: RunningServer, redis_server: RedisServer, clip: Path
) -> None:
    token = log_in(server).json()["token"]
    wrong = {"username": "admin", "password": "wrong"}
    assert [httpx.post(f"{server.url}/api/v1/auth/login", json=wrong).status_code for _ in range(6)][-1] == 429
    assert models(server, token).status_code == 200
    bearer = {"Authorization": f"Bearer {token}"}
    assert httpx.post(f"{server.url}/api/v1/auth/refresh", headers=bearer).status_code == 200
    assert transcribe(server, clip) == 200
    eventually(lambda: metric(server, "whisper_session_store_swept_timestamp_seconds"), bool)
    found = {name.decode(): redis_server.client.pttl(name) for name in redis_server.client.keys("*")}
    families = {"session", "sessions", "count", "limit", "swept"}
    assert families <= {word for name in found for word in name.split(":")}
    # The audit has a retention of its own. Counts of a day reach into the next; nothing else is kept for longer.
    assert 0 < found.pop("whisper:1:audit") <= 30 * DAY_MILLISECONDS
    endless = {name: left for name, left in found.items() if not (0 < left <= 2 * DAY_MILLISECONDS or left == GONE)}
    assert endless == {}
    assert metric(server, "whisper_session_store_mended_keys_total") == 0
