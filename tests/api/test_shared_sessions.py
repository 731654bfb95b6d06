"""Two servers and one Redis behave as one; and as two that go on when it dies."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import EXAMPLES, PASSWORD
from tests.support.patience import eventually
from tests.support.redis_server import RedisServer
from tests.support.running_server import KEY, RunningServer, running_server
from whisper_inference.settings import ServerSettings

pytestmark = pytest.mark.slow


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that the test may stop."""
    server = RedisServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def servers(redis_server: RedisServer, tmp_path: Path) -> Iterator[list[RunningServer]]:
    """Two servers, as two pods of one resource."""
    address = tmp_path / "url"
    address.write_text(redis_server.address)
    settings = ServerSettings(
        model=str(EXAMPLES / "models/demo"),
        device="cpu",
        api_key=KEY,
        admin_password=PASSWORD,
        secret_key="the-secret-key-of-the-tests-0123456789",
        redis_url_file=address,
        argon2_memory_kib=8192,
    )
    with running_server(settings) as one, running_server(settings) as two:
        yield [one, two]


def log_in(server: RunningServer, password: str = PASSWORD) -> httpx.Response:
    return httpx.post(f"{server.url}/api/v1/auth/login", json={"username": "admin", "password": password})


def status(server: RunningServer, token: str) -> int:
    return httpx.get(f"{server.url}/v1/models", headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_session_is_good_everywhere_and_ends_everywhere(servers: list[RunningServer]) -> None:
    one, two = servers
    token = log_in(one).json()["token"]
    assert [status(server, token) for server in servers] == [200, 200]
    httpx.post(f"{two.url}/api/v1/auth/logout", headers={"Authorization": f"Bearer {token}"})
    assert [status(server, token) for server in servers] == [401, 401]


def test_wrong_passwords_are_counted_together(servers: list[RunningServer]) -> None:
    answers = [log_in(servers[number % 2], "wrong password").status_code for number in range(6)]
    assert answers == [401] * 5 + [429]


def test_without_redis_keys_go_on_and_sessions_wait_for_it(
    servers: list[RunningServer], redis_server: RedisServer, clip: Path
) -> None:
    one, _ = servers
    token = log_in(one).json()["token"]
    redis_server.stop()
    refused = httpx.get(f"{one.url}/v1/models", headers={"Authorization": f"Bearer {token}"})
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "session_store_unavailable"
    assert int(refused.headers["Retry-After"]) >= 1
    assert log_in(one).status_code == 503
    with httpx.Client(base_url=one.url, headers=one.headers, timeout=60) as client:
        files = {"file": ("x.wav", clip.read_bytes())}
        transcript = client.post("/v1/audio/transcriptions", data={"model": "whisper-1"}, files=files)
    assert transcript.status_code == 200
    assert "whisper_session_store_up 0.0" in httpx.get(f"{one.management_url}/metrics").text
    redis_server.start()
    eventually(lambda: log_in(one).status_code, lambda found: found == 200)
    assert "whisper_session_store_up 1.0" in httpx.get(f"{one.management_url}/metrics").text
