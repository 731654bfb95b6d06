"""Headers of every answer, and whom the server believes about addresses and schemes."""

from collections.abc import Iterator

import httpx
import pytest

from tests.api.conftest import EXAMPLES, PASSWORD
from tests.support.running_server import KEY, RunningServer, running_server
from whisper_inference.security_headers import HEADERS
from whisper_inference.settings import ServerSettings

ORIGIN = "https://app.example.org"
LOGIN = "/api/v1/auth/login"


@pytest.fixture(scope="module")
def behind_proxy() -> Iterator[RunningServer]:
    """A server that believes loopback, as if its proxy were there, and one origin."""
    settings = ServerSettings(
        model=str(EXAMPLES / "models/demo"),
        device="cpu",
        api_key=KEY,
        admin_password=PASSWORD,
        secret_key="the-secret-key-of-the-tests-0123456789",
        argon2_memory_kib=8192,
        trusted_proxies=("127.0.0.0/8",),
        cors_origins=(ORIGIN,),
    )
    with running_server(settings) as server:
        yield server


ANSWERS = [("GET", "/health"), ("GET", "/v1/models"), ("GET", "/nowhere"), ("PUT", "/ready"), ("POST", LOGIN)]


@pytest.mark.parametrize(("method", "path"), ANSWERS)
def test_every_answer_has_them(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert {name: answer.headers.get(name) for name in HEADERS} == dict(HEADERS)
    assert "Strict-Transport-Security" not in answer.headers
    assert "Server" not in answer.headers


def test_pages_of_other_origins_are_not_let_in(server: RunningServer) -> None:
    preflight = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    answer = httpx.options(f"{server.url}{LOGIN}", headers=preflight)
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_pages_of_a_named_origin_are(behind_proxy: RunningServer) -> None:
    preflight = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    answer = httpx.options(f"{behind_proxy.url}{LOGIN}", headers=preflight)
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Credentials" not in answer.headers
    stranger = httpx.options(f"{behind_proxy.url}{LOGIN}", headers=preflight | {"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in stranger.headers


def test_who_came_by_tls_is_told_to_stay(behind_proxy: RunningServer, server: RunningServer) -> None:
    forwarded = {"X-Forwarded-Proto": "https"}
    trusted = httpx.get(f"{behind_proxy.url}/health", headers=forwarded)
    assert trusted.headers["Strict-Transport-Security"].startswith("max-age=")
    assert "Strict-Transport-Security" not in httpx.get(f"{server.url}/health", headers=forwarded).headers


def fail(server: RunningServer, name: str, address: str) -> int:
    """Log in wrongly, as from an address."""
    body = {"username": name, "password": "wrong"}
    return httpx.post(f"{server.url}{LOGIN}", json=body, headers={"X-Forwarded-For": address}).status_code


def test_a_trusted_proxy_tells_whose_password_was_wrong(behind_proxy: RunningServer) -> None:
    assert [fail(behind_proxy, "anna", "192.0.2.7") for _ in range(6)] == [401] * 5 + [429]
    assert fail(behind_proxy, "anna", "192.0.2.8") == 401


def test_anybody_else_is_who_connects(server: RunningServer) -> None:
    answers = [fail(server, "berta", f"192.0.2.{number}") for number in range(6)]
    assert answers[-1] == 429
