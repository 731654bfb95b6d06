"""Logging in over HTTP, and what a session is good for."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.conftest import PASSWORD
from tests.support.running_server import RunningServer


@pytest.fixture
def stranger(server: RunningServer) -> Iterator[httpx.Client]:
    """A client without a credential."""
    with httpx.Client(base_url=server.url) as opened:
        yield opened


def log_in(client: httpx.Client, name: str = "transcriber", password: str = PASSWORD) -> httpx.Response:
    return client.post("/api/v1/auth/login", json={"username": name, "password": password})


def test_a_person_logs_in_looks_refreshes_and_leaves(stranger: httpx.Client) -> None:
    opened = log_in(stranger)
    assert opened.status_code == 200
    assert opened.headers["Cache-Control"] == "no-store"
    session = opened.json()
    assert session.keys() == {"token", "token_type", "expires_at"}
    headers = {"Authorization": f"Bearer {session['token']}"}
    me = stranger.get("/api/v1/auth/me", headers=headers).json()
    about = {"name": "transcriber", "role": "transcriber", "expires_at": session["expires_at"]}
    assert me == about | {"outdated_passwords": None}
    assert stranger.get("/v1/models", headers=headers).status_code == 200
    renewed = stranger.post("/api/v1/auth/refresh", headers=headers).json()
    assert renewed["expires_at"] == session["expires_at"]
    assert stranger.get("/v1/models", headers=headers).status_code == 401
    headers = {"Authorization": f"Bearer {renewed['token']}"}
    assert stranger.post("/api/v1/auth/logout", headers=headers).status_code == 204
    assert stranger.get("/v1/models", headers=headers).status_code == 401


def test_leaving_everywhere_ends_every_session_of_the_account(stranger: httpx.Client) -> None:
    one, two = (log_in(stranger, "viewer").json()["token"] for _ in range(2))
    left = stranger.post("/api/v1/auth/logout?everywhere=true", headers={"Authorization": f"Bearer {one}"})
    assert left.status_code == 204
    assert stranger.get("/v1/models", headers={"Authorization": f"Bearer {two}"}).status_code == 401


def test_a_key_says_whose_it_is_and_has_no_session(client: httpx.Client) -> None:
    about = {"name": "owner", "role": "admin", "expires_at": None}
    assert client.get("/api/v1/auth/me").json() == about | {"outdated_passwords": []}
    answer = client.post("/api/v1/auth/logout")
    assert answer.status_code == 400
    assert "no session" in answer.json()["error"]["message"]


def test_too_many_wrong_passwords_are_told_when_to_come_back(stranger: httpx.Client) -> None:
    answers = [log_in(stranger, "nobody-here", "wrong") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert answers[-1].json()["error"]["code"] == "too_many_attempts"
    assert int(answers[-1].headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "username"),
        ({"username": "anna"}, "password"),
        ({"username": "", "password": "x"}, "username"),
        ({"username": "a" * 65, "password": "x"}, "username"),
        ({"username": "anna", "password": "hunter2" * 200}, "password"),
        ({"username": "anna", "password": "hunter2", "colour": "hunter2"}, "colour"),
        ({"username": ["anna"], "password": "hunter2"}, "username"),
    ],
)
def test_a_body_that_means_nothing_is_answered_in_the_one_shape(
    stranger: httpx.Client, body: dict[str, Any], param: str
) -> None:
    answer = stranger.post("/api/v1/auth/login", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == param
    assert "hunter2" not in answer.text


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"null"])
def test_a_body_that_is_no_object_is_refused(stranger: httpx.Client, content: bytes) -> None:
    answer = stranger.post("/api/v1/auth/login", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_stranger_cannot_make_the_server_keep_a_large_body(stranger: httpx.Client) -> None:
    answer = stranger.post("/api/v1/auth/login", content=b" " * (1 << 20), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
