"""Requests that are wrong in themselves: each gets its status, the one body, and none of what it holds."""

import json

import httpx
import pytest

from tests.api.test_surface import ERROR_FIELDS

LOGIN = "/api/v1/auth/login"
SECRET = "hunter2-hunter2-hunter2"
JSON = {"Content-Type": "application/json"}
INSIDES = ("Traceback", "pydantic", "fastapi", "starlette", "whisper_inference", "site-packages", ".py")


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"{", JSON, 400, "invalid_value"),
        (b'{"username": "\xff\xfe", "password": "x"}', JSON, 400, "invalid_value"),
        (b"[" * 60_000, JSON, 400, "invalid_value"),
        (b'{"username": NaN, "password": "x"}', JSON, 422, "invalid_value"),
        (b'{"username": "anna", "password": 1e999}', JSON, 422, "invalid_value"),
        (b'"text"', JSON, 422, "invalid_value"),
        (b"", JSON, 422, "invalid_value"),
        (b"username=anna", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
        (b'{"username": "anna", "password": "x"}', {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        (b'{"username": "anna", "password": "x"}', {}, 415, "unsupported_media_type"),
        (b" " * 100_000, JSON, 413, "upload_too_large"),
    ],
)
def test_a_body_that_cannot_be_understood_is_refused(
    client: httpx.Client, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = client.post(LOGIN, content=content, headers=headers)
    error = check_error(answer, status)
    assert error["code"] == code


@pytest.mark.parametrize(
    "body",
    [
        {"username": "anna", "password": SECRET, "colour": SECRET},
        {"username": ["anna"], "password": SECRET},
        {"username": "anna", "password": [SECRET]},
        {"username": "anna", "password": SECRET * 1000},
        [SECRET],
        SECRET,
    ],
)
def test_what_does_not_fit_is_named_and_not_repeated(client: httpx.Client, body: object) -> None:
    answer = client.post(LOGIN, json=body)
    check_error(answer, 422)
    assert SECRET not in answer.text


def test_a_name_that_a_client_made_up_is_cut(client: httpx.Client) -> None:
    answer = client.post(LOGIN, json={"username": "anna", "password": "x", "n" * 5000: 1})
    assert len(answer.text) < 1000
    check_error(answer, 422)
    assert len(client.get(f"/v1/models?{'q' * 5000}=1").text) < 1000


@pytest.mark.parametrize(("path", "allow"), [("/v1/models", "GET"), (LOGIN, "POST"), ("/health", "GET")])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE"])
def test_a_method_that_a_path_does_not_take_is_refused_with_those_that_it_takes(
    client: httpx.Client, method: str, path: str, allow: str
) -> None:
    answer = client.request(method, path)
    check_error(answer, 405)
    assert answer.headers["Allow"] == allow


def test_routes_that_share_a_path_are_named_together(client: httpx.Client) -> None:
    answer = client.put("/api/v1/jobs/job_019abcdef0120123456789abcdef0123")
    check_error(answer, 405)
    assert answer.headers["Allow"] == "DELETE, GET"


def test_head_is_refused_without_a_body(client: httpx.Client) -> None:
    answer = client.head("/v1/models")
    assert answer.status_code == 405
    assert answer.content == b""


@pytest.mark.parametrize("path", ["/v1/models/%00", "/v1/models/..%2f..%2fetc%2fpasswd", "/%ff", "/docs/%2e%2e/x"])
def test_paths_of_strange_bytes_are_not_found(client: httpx.Client, path: str) -> None:
    check_error(client.get(path), 404)


def check_error(answer: httpx.Response, status: int) -> dict[str, str]:
    """Hold an answer against what every error has, and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    error: dict[str, str] = json.loads(answer.text)["error"]
    assert set(error) == ERROR_FIELDS
    assert error["correlation_id"] == answer.headers["X-Request-Id"]
    assert [inside for inside in INSIDES if inside in answer.text] == []
    return error
