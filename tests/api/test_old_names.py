"""`/api/v0`: the old service's names, where somebody still asks for them."""

import base64
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import EXAMPLES
from tests.support.keys import make_account_key
from tests.support.running_server import KEY, RunningServer, running_server
from whisper_contract.surface import LEGACY_DEPRECATED, LEGACY_SUNSET
from whisper_inference.security.roles import Role
from whisper_inference.settings import ServerSettings

ROUTES = {
    ("POST", "/api/v0/transcribe"): Role.TRANSCRIBER,
    ("POST", "/api/v0/process-chunk"): Role.TRANSCRIBER,
    ("GET", "/api/v0/models"): Role.VIEWER,
    ("POST", "/api/v0/clear-cache"): Role.ADMIN,
    ("GET", "/api/v0/stream/configure"): Role.TRANSCRIBER,
    ("POST", "/api/v0/stream/start"): Role.TRANSCRIBER,
}


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, dict[Role, str]]]:
    """A server with the old names, and a key for each role."""
    folder = tmp_path_factory.mktemp("old")
    keys = {role: make_account_key(role.value, role) for role in Role}
    accounts = folder / "accounts.yaml"
    accounts.write_text("keys:\n" + "".join(entry for _, entry in keys.values()))
    settings = ServerSettings(
        model=str(EXAMPLES / "models/demo"),
        device="cpu",
        api_key=KEY,
        accounts_file=accounts,
        cache_dir=folder / "cache",
        max_upload_bytes=1 << 20,
        legacy=True,
    )
    with running_server(settings) as running:
        yield running, {role: key for role, (key, _) in keys.items()}


@pytest.fixture
def caller(old: tuple[RunningServer, dict[Role, str]]) -> Iterator[httpx.Client]:
    """A client with the key."""
    server, _ = old
    with httpx.Client(base_url=server.url, headers=server.headers, timeout=60) as opened:
        yield opened


def chunk(clip: Path, **fields: object) -> dict[str, object]:
    """A chunk as the old service took it."""
    sound = base64.b64encode(clip.read_bytes()).decode()
    return {"chunk_id": "7", "session_id": "meeting", "audio_data": sound} | fields


def test_they_are_off_by_default(client: httpx.Client) -> None:
    for method, path in ROUTES:
        assert client.request(method, path).status_code == 404


def test_a_recording_is_transcribed_as_before(caller: httpx.Client, clip: Path) -> None:
    answer = caller.post(
        "/api/v0/transcribe", data={"language": "en", "session_id": "s"}, files={"audio": ("x.wav", clip.read_bytes())}
    )
    assert answer.status_code == 200
    found = answer.json()
    new = caller.post("/api/v1/transcriptions", files={"file": ("x.wav", clip.read_bytes())}).json()
    assert (found["text"], found["language"], found["session_id"]) == (new["text"], "en", "s")
    assert 0 < found["confidence"] <= 1
    assert found["device_used"] == answer.headers["X-Whisper-Device"] == "cpu"
    assert [each["text"] for each in found["segments"]] == [each["text"] for each in new["segments"]]


def test_a_chunk_is_transcribed_as_before(caller: httpx.Client, clip: Path) -> None:
    metadata = {"sequence_number": 3, "start_time": 9.0, "end_time": 12.0, "duration": 3.0}
    found = caller.post("/api/v0/process-chunk", json=chunk(clip, chunk_metadata=metadata)).json()
    assert (found["chunk_id"], found["session_id"], found["status"]) == ("7", "meeting", "success")
    assert found["transcription"]["text"]
    assert found["chunk_sequence"] == 3
    assert found["chunk_timing"] == {"start_time": 9.0, "end_time": 12.0, "duration": 3.0}
    assert found["processing_info"]["device_used"] == "cpu"


def test_voice_activity_detection_may_be_left_out(caller: httpx.Client, silence: Path) -> None:
    kept = caller.post("/api/v0/transcribe", files={"audio": ("x.wav", silence.read_bytes())}).json()
    assert (kept["text"], kept["confidence"]) == ("", 0.0)
    left_out = {"enable_vad": "false"}
    assert caller.post("/api/v0/transcribe", data=left_out, files={"audio": ("x.wav", silence.read_bytes())}).is_success


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"audio_data": "not base64!"}, 400, "audio_data"),
        ({"audio_data": ""}, 422, "audio_data"),
        ({"colour": "blue"}, 422, "colour"),
        ({"chunk_metadata": {"sample_rate": 8000}}, 422, "chunk_metadata.sample_rate"),
        ({"model_name": "whisper-huge"}, 404, "model"),
        ({"language": "klingon"}, 400, "language"),
        ({"chunk_id": None}, 422, "chunk_id"),
    ],
)
def test_what_cannot_be_obeyed_is_refused_by_name(
    caller: httpx.Client, clip: Path, fields: dict[str, object], status: int, param: str
) -> None:
    answer = caller.post("/api/v0/process-chunk", json=chunk(clip, **fields))
    assert answer.status_code == status
    assert answer.json()["error"]["param"] == param


def test_a_chunk_has_the_limit_of_an_upload(caller: httpx.Client) -> None:
    body = {"chunk_id": "7", "session_id": "s", "audio_data": base64.b64encode(b"\0" * (2 << 20)).decode()}
    assert caller.post("/api/v0/process-chunk", json=body).status_code == 413


def test_the_cache_and_the_models_answer_as_before(caller: httpx.Client) -> None:
    cleared = caller.post("/api/v0/clear-cache").json()
    assert cleared == {"status": "Cache cleared successfully", "freed_bytes": 0}
    models = caller.get("/api/v0/models").json()
    assert (models["device"], len(models["models"])) == ("cpu", 1)


def test_the_old_streams_say_where_streams_are(caller: httpx.Client) -> None:
    answer = caller.post("/api/v0/stream/start")
    assert answer.status_code == 410
    assert answer.json()["error"]["code"] == "gone"
    assert "/api/v1/stream" in answer.json()["error"]["message"]
    assert answer.headers["Deprecation"]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_each_says_that_it_ends_and_what_replaces_it(caller: httpx.Client, method: str, path: str) -> None:
    headers = caller.request(method, path).headers
    assert headers["Deprecation"] == f"@{int(LEGACY_DEPRECATED.timestamp())}"
    assert parsedate_to_datetime(headers["Sunset"]) == LEGACY_SUNSET
    assert 'rel="successor-version"' in headers["Link"]
    assert 'rel="deprecation"' in headers["Link"]
    assert headers["RateLimit-Limit"]


@pytest.mark.parametrize("role", [None, *Role])
def test_each_needs_its_role(old: tuple[RunningServer, dict[Role, str]], role: Role | None) -> None:
    server, keys = old
    headers = {} if role is None else {"Authorization": f"Bearer {keys[role]}"}
    for (method, path), needed in ROUTES.items():
        status = httpx.request(method, f"{server.url}{path}", headers=headers).status_code
        refused = 401 if role is None else None if role.includes(needed) else 403
        assert (status if status in {401, 403} else None) == refused, path


def test_calls_are_counted_and_the_log_says_with_which_credential(
    old: tuple[RunningServer, dict[Role, str]], caplog: pytest.LogCaptureFixture
) -> None:
    server, keys = old
    httpx.get(f"{server.url}/api/v0/models", headers={"Authorization": f"Bearer {keys[Role.VIEWER]}"})
    metrics = httpx.get(f"{server.management_url}/metrics").text
    assert 'whisper_legacy_requests_total{route="/api/v0/models"}' in metrics
    said = next(line for line in caplog.messages if "/api/v0/models" in line and "called with key:" in line)
    assert keys[Role.VIEWER] not in said


def test_they_are_described_as_deprecated(caller: httpx.Client) -> None:
    paths = caller.get("/openapi.json").json()["paths"]
    described = [operation for path in paths if path.startswith("/api/v0") for operation in paths[path].values()]
    assert len(described) == 4
    assert all(operation["deprecated"] for operation in described)


@pytest.mark.parametrize("body", [b"not JSON", b"{}"])
def test_strangers_are_refused_whatever_they_send(old: tuple[RunningServer, dict[Role, str]], body: bytes) -> None:
    server, keys = old
    json = {"Content-Type": "application/json"}
    for header, status in (("", 401), ("Bearer wrong", 401), (f"Bearer {keys[Role.VIEWER]}", 403)):
        answer = httpx.post(
            f"{server.url}/api/v0/process-chunk", content=body, headers=json | {"Authorization": header}
        )
        assert answer.status_code == status
