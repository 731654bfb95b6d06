"""Sessions and stream tokens over HTTP."""

from collections.abc import Iterator

import httpx
import pytest

from tests.api.conftest import PASSWORD
from tests.support.running_server import RunningServer
from whisper_inference.security.roles import Role


@pytest.fixture
def stranger(server: RunningServer) -> Iterator[httpx.Client]:
    """A client without a credential."""
    with httpx.Client(base_url=server.url) as opened:
        yield opened


def bearer(client: httpx.Client, name: str) -> dict[str, str]:
    """Log in."""
    answer = client.post("/api/v1/auth/login", json={"username": name, "password": PASSWORD})
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def test_a_person_sees_their_sessions_and_ends_the_one_that_was_left_open(stranger: httpx.Client) -> None:
    left, mine = bearer(stranger, "viewer"), bearer(stranger, "viewer")
    listed = stranger.get("/api/v1/sessions", headers=mine).json()["sessions"]
    assert sum(each["current"] for each in listed) == 1
    assert {each["account"] for each in listed} == {"viewer"}
    text = stranger.get("/api/v1/sessions", headers=mine).text
    assert all(header["Authorization"].removeprefix("Bearer ")[4:] not in text for header in (left, mine))
    other = stranger.get("/api/v1/sessions", headers=left).json()["sessions"]
    identity = next(each["id"] for each in other if each["current"])
    assert stranger.delete(f"/api/v1/sessions/{identity}", headers=mine).status_code == 204
    assert stranger.get("/api/v1/sessions", headers=left).status_code == 401
    assert stranger.delete(f"/api/v1/sessions/{identity}", headers=mine).status_code == 404


def test_an_admin_ends_all_sessions_of_an_account(stranger: httpx.Client, client: httpx.Client) -> None:
    sessions = [bearer(stranger, "transcriber") for _ in range(2)]
    found = client.get("/api/v1/sessions?account=transcriber").json()["sessions"]
    assert len(found) >= 2
    assert client.delete("/api/v1/sessions?account=transcriber").json() == {"ended": len(found)}
    assert [stranger.get("/v1/models", headers=each).status_code for each in sessions] == [401, 401]


def test_a_viewer_does_not_reach_others(stranger: httpx.Client) -> None:
    viewer = bearer(stranger, "viewer")
    for method, path in (("GET", ""), ("DELETE", ""), ("DELETE", "/" + "0" * 32)):
        answer = stranger.request(method, f"/api/v1/sessions{path}?account=admin", headers=viewer)
        assert answer.status_code == 403


@pytest.mark.parametrize("query", ["", "?account=" + "x" * 65, "?accounts=admin"])
def test_a_key_that_names_no_account_is_told_so(client: httpx.Client, query: str) -> None:
    answer = client.delete(f"/api/v1/sessions{query}")
    assert answer.status_code in {400, 422}
    assert answer.json()["error"]["param"] == ("accounts" if "accounts" in query else "account")


@pytest.mark.parametrize("who", [*Role, *(f"session of {role}" for role in Role)])
def test_a_stream_token_opens_no_route(
    stranger: httpx.Client, named_keys: dict[str, tuple[str, str]], who: str
) -> None:
    key = named_keys.get(who)
    headers = {"Authorization": f"Bearer {key[0]}"} if key else bearer(stranger, who.rpartition(" ")[2])
    answer = stranger.post("/api/v1/stream-tokens", headers=headers)
    if who.endswith("viewer"):
        assert answer.status_code == 403
        return
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    token = answer.json()["token"]
    assert stranger.get("/v1/models", headers={"Authorization": f"Bearer {token}"}).status_code == 401
