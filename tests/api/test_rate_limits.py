"""Limits over HTTP: what is counted, what the answers say, and that no route is left out."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import EXAMPLES
from tests.api.test_surface import PROBES, routes
from tests.support.keys import make_account_key
from tests.support.running_server import KEY, RunningServer, running_server
from whisper_inference.dependencies import Limited, Requires
from whisper_inference.security.roles import Role
from whisper_inference.settings import ServerSettings

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[tuple[RunningServer, str]]:
    """A server that allows little, and a named key for it."""
    key, entry = make_account_key("newsroom", Role.VIEWER)
    accounts = tmp_path / "accounts.yaml"
    accounts.write_text(f"keys:\n{entry}")
    settings = ServerSettings(
        model=str(EXAMPLES / "models/demo"),
        device="cpu",
        api_key=KEY,
        accounts_file=accounts,
        rate_reads="5/hour",
        rate_transcriptions="2/hour",
        rate_logins="3/hour",
        rate_refusals="4/hour",
    )
    with running_server(settings) as server:
        yield server, key


def test_each_credential_has_its_own_count_and_is_told_how_it_stands(strict: tuple[RunningServer, str]) -> None:
    server, key = strict
    for token in (KEY, key):
        answers = [httpx.get(f"{server.url}/v1/models", headers={"Authorization": f"Bearer {token}"}) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert [answer.headers.get("RateLimit-Remaining") for answer in answers[:5]] == ["4", "3", "2", "1", "0"]
        assert answers[0].headers["RateLimit-Limit"] == "5"
        refused = answers[-1]
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert refused.json()["error"]["retry_after"] == int(refused.headers["Retry-After"]) > 0
        assert refused.headers["RateLimit-Limit"] == "5"
        assert refused.headers["RateLimit-Remaining"] == "0"
        assert refused.headers["RateLimit-Reset"] == refused.headers["Retry-After"]
    assert 'whisper_rate_limited_total{class="reads"} 2.0' in httpx.get(f"{server.management_url}/metrics").text


def test_audio_is_counted_apart_and_before_it_is_read(strict: tuple[RunningServer, str], clip: Path) -> None:
    server, _ = strict
    with httpx.Client(base_url=server.url, headers=server.headers, timeout=60) as client:
        codes = [
            client.post(
                "/v1/audio/transcriptions", data={"model": "whisper-1"}, files={"file": ("x.wav", clip.read_bytes())}
            ).status_code
            for _ in range(3)
        ]
        assert codes == [200, 200, 429]
        assert client.get("/v1/models").status_code == 200


def test_logins_and_wrong_credentials_are_counted_by_address(strict: tuple[RunningServer, str]) -> None:
    server, _ = strict
    bodies = (b'{"username": "anna", "password": "wrong"}', b"not JSON", b'{"colour": "red"}', b"not JSON")
    logins = [httpx.post(f"{server.url}/api/v1/auth/login", content=body, headers=JSON).status_code for body in bodies]
    assert logins == [401, 400, 422, 429]
    wrong = [httpx.get(f"{server.url}/v1/models", headers={"Authorization": "Bearer no"}).status_code for _ in range(5)]
    assert wrong == [401] * 4 + [429]
    metrics = httpx.get(f"{server.management_url}/metrics").text
    assert all(f'whisper_rate_limited_total{{class="{rate}"}} 1.0' in metrics for rate in ("logins", "refusals"))


def test_every_route_but_the_probes_is_counted(server: RunningServer) -> None:
    """Walks the route table: a new route without a limit fails here."""
    for route in routes(server):
        counted = [each.call for each in route.dependant.dependencies if isinstance(each.call, Requires | Limited)]
        assert (counted == []) == (route.path in PROBES), route.path
