"""Who may reach what, and how everything that goes wrong is answered."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from tests.api.conftest import PASSWORD
from tests.support.keys import make_account_key
from tests.support.running_server import RunningServer
from whisper_contract.surface import HEALTH_PATH, READY_PATH
from whisper_inference.dependencies import Requires
from whisper_inference.routes.early_checks import ChecksFirst
from whisper_inference.security.roles import Role

PROBES = {HEALTH_PATH, READY_PATH}
PAGES = {"/docs", "/redoc", "/docs/{name}", "/", "/web/{name}"}
"""Static files."""
PUBLIC = PROBES | PAGES | {"/api/v1/auth/login"}
ERROR_FIELDS = {"message", "type", "param", "code", "correlation_id", "retry_after"}


def routes(server: RunningServer) -> list[APIRoute]:
    """Every route of the public application, nested ones included."""
    found: list[APIRoute] = []
    waiting: list[BaseRoute] = list(server.app.router.routes)
    while waiting:
        route = waiting.pop()
        if isinstance(route, APIRoute):
            found.append(route)
        waiting += getattr(getattr(route, "original_router", None), "routes", [])
    return found


def needed_role(route: APIRoute) -> Role | None:
    """The role that a route names; `None` if it is public."""
    checks = [each.call for each in route.dependant.dependencies if isinstance(each.call, Requires)]
    return checks[0].role if checks else None


def test_every_route_but_the_probes_and_the_login_names_a_role(server: RunningServer) -> None:
    """Walks the route table: a new route without a role fails here."""
    found = {route.path: needed_role(route) for route in routes(server)}
    assert {path for path, role in found.items() if role is None} == PUBLIC
    assert found.keys() >= {"/v1/models", "/v1/audio/transcriptions", "/v1/audio/translations"}


@pytest.mark.parametrize(
    "who", ["nobody", "stranger", "expired", "gone", *Role, *(f"session of {role}" for role in Role)]
)
def test_every_route_lets_in_who_has_its_role_and_nobody_else(
    server: RunningServer, named_keys: dict[str, tuple[str, str]], who: str
) -> None:
    with httpx.Client(base_url=server.url) as client:
        for route in routes(server):
            for method in route.methods or ():
                token = _token(client, named_keys, who)  # anew: a route may end the session
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                answer = client.request(method, re.sub(r"\{[^}]*\}", "x", route.path), headers=headers)
                assert _refusal(answer.status_code) == _expected(needed_role(route), who), (method, route.path)


def _token(client: httpx.Client, named_keys: dict[str, tuple[str, str]], who: str) -> str | None:
    if who == "nobody":
        return None
    if who == "stranger":
        return make_account_key("stranger")[0]
    if who in named_keys:
        return named_keys[who][0]
    login = {"username": who.rpartition(" ")[2] if who != "gone" else "viewer", "password": PASSWORD}
    token = str(client.post("/api/v1/auth/login", json=login).json()["token"])
    if who == "gone":
        client.post("/api/v1/auth/logout", headers={"Authorization": f"Bearer {token}"})
    return token


def _refusal(status: int) -> int | None:
    return status if status in {401, 403} else None


def _expected(needed: Role | None, who: str) -> int | None:
    if needed is None:
        return None
    role = who.rpartition(" ")[2]
    if role not in list(Role):
        return 401
    return None if Role(role).includes(needed) else 403


def test_no_route_reads_a_body_before_it_knows_who_sends_it(server: RunningServer) -> None:
    """Walks the route table; those without a class of their own read their forms themselves."""
    with_body = [route for route in routes(server) if route.body_field is not None]
    assert with_body
    assert all(isinstance(route, ChecksFirst) for route in with_body)


@pytest.mark.parametrize("header", ["", "Bearer", "Basic YTpi", "Bearer wrong", "Bearer \N{GREEK SMALL LETTER ALPHA}"])
def test_a_bad_credential_is_refused(server: RunningServer, header: str) -> None:
    answer = httpx.get(f"{server.url}/v1/models", headers=[(b"Authorization", header.encode())])
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("DELETE", "/v1/models", 405),
        ("POST", "/v1/audio/transcriptions", 400),
        ("GET", "/v1/models/other", 404),
        ("GET", "/docs/no-such-file", 404),
        ("GET", "/metrics", 404),
    ],
)
def test_every_error_has_the_one_body(client: httpx.Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) == ERROR_FIELDS
    assert error["correlation_id"] == answer.headers["X-Request-Id"]


def test_a_sane_correlation_id_is_kept_and_another_replaced(client: httpx.Client) -> None:
    assert client.get("/v1/models", headers={"X-Request-Id": "trace-42"}).headers["X-Request-Id"] == "trace-42"
    made = client.get("/v1/models", headers={"X-Request-Id": "x" * 200}).headers["X-Request-Id"]
    assert re.fullmatch("[0-9a-f]{32}", made)


def test_the_answer_names_the_device(client: httpx.Client, clip: Path) -> None:
    answer = client.post(
        "/v1/audio/transcriptions", data={"model": "whisper-1"}, files={"file": ("x.wav", clip.read_bytes())}
    )
    assert answer.headers["X-Whisper-Device"] == "cpu"


@pytest.mark.parametrize(
    ("data", "files", "param"),
    [
        ({"model": "whisper-1"}, {}, "file"),
        ({}, {"file": b"x"}, "model"),
        ({"model": "whisper-1", "colour": "blue"}, {"file": b"x"}, "colour"),
        ({"model": "whisper-1"}, {"audio": b"x"}, "audio"),
        ({"model": "whisper-1", "stream": "perhaps"}, {"file": b"x"}, "stream"),
        ({"model": "whisper-1", "beam_size": "0"}, {"file": b"x"}, "beam_size"),
        ({"model": "whisper-1", "beam_size": "99"}, {"file": b"x"}, "beam_size"),
        ({"model": "whisper-1", "stream": "true", "response_format": "srt"}, {"file": b"x"}, "stream"),
        ({"model": "whisper-1", "chunking_strategy": "{"}, {"file": b"x"}, "chunking_strategy"),
    ],
)
def test_a_bad_form_names_the_field(
    client: httpx.Client, data: dict[str, str], files: dict[str, bytes], param: str
) -> None:
    named = {name: ("clip.wav", content) for name, content in files.items()}
    answer = client.post("/v1/audio/transcriptions", data=data, files=named or {"": ("", b"")})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


def test_a_large_upload_is_stopped_while_it_is_read(client: httpx.Client) -> None:
    declared = client.post(
        "/v1/audio/transcriptions", data={"model": "whisper-1"}, files={"file": ("x.wav", b"\0" * (9 << 20))}
    )
    assert declared.status_code == 413
    assert declared.json()["error"]["code"] == "upload_too_large"

    def endless() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.wav"\r\n\r\n'
        for _ in range(200):
            yield b"\0" * (1 << 16)

    undeclared = client.post(
        "/v1/audio/transcriptions",
        content=endless(),
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )
    assert undeclared.status_code == 413


def test_a_form_of_many_fields_is_refused(client: httpx.Client) -> None:
    answer = client.post(
        "/v1/audio/transcriptions", data={f"f{i}": "x" for i in range(200)}, files={"file": ("x.wav", b"x")}
    )
    assert answer.status_code == 400


def test_probes_and_metrics_need_no_key_on_the_management_port(server: RunningServer, client: httpx.Client) -> None:
    client.get("/v1/models")
    assert httpx.get(f"{server.management_url}/health").json() == {"status": "ok"}
    assert httpx.get(f"{server.management_url}/ready").json()["status"] == "ready"
    metrics = httpx.get(f"{server.management_url}/metrics").text
    assert 'whisper_requests_total{route="/v1/models",status="200"}' in metrics
    assert 'whisper_model_info{device="cpu"' in metrics
    assert httpx.get(f"{server.management_url}/v1/models").status_code == 404


def test_a_client_that_leaves_takes_its_work_with_it(server: RunningServer, long_clip: Path) -> None:
    content = long_clip.read_bytes()

    async def leave() -> None:
        async with httpx.AsyncClient(base_url=server.url, headers=server.headers) as impatient:
            post = impatient.post(
                "/v1/audio/transcriptions",
                data={"model": "whisper-1", "beam_size": "8"},
                files={"file": ("x.flac", content)},
            )
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(post, 0.5)

    async def idle() -> bool:
        for _ in range(100):
            if server.app.state.server.loaded.scheduler.backlog_seconds == 0:
                return True
            await asyncio.sleep(0.05)
        return False

    asyncio.run(leave())
    assert asyncio.run(idle())
