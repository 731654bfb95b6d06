"""What a running server writes down, and who may ask for it."""

import asyncio
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import PASSWORD
from tests.support.patience import eventually, until
from tests.support.running_server import RunningServer
from tests.support.speaking import connect, pcm, say
from whisper_contract.surface import AuditLoss

AUDIT = "/api/v1/audit"
AUDIO = "/v1/audio/transcriptions"


@pytest.fixture
def identity() -> str:
    """Of one test's requests."""
    return uuid.uuid4().hex


def written(client: httpx.Client, identity: str, many: int = 1, **query: str) -> list[dict[str, Any]]:
    """The events of a request, the first one first; they are kept a moment after the answer."""

    def found() -> list[dict[str, Any]]:
        events = client.get(AUDIT, params={"limit": "200"} | query).json()["events"]
        return [event for event in reversed(events) if event["correlation_id"] == identity]

    return eventually(found, lambda events: len(events) >= many)


def test_a_login_what_it_does_and_its_end_are_written_down(
    server: RunningServer, client: httpx.Client, identity: str
) -> None:
    with httpx.Client(base_url=server.url, headers={"X-Request-Id": identity}) as person:
        login = {"username": "viewer", "password": PASSWORD}
        token = person.post("/api/v1/auth/login", json=login).json()["token"]
        renewed = person.post("/api/v1/auth/refresh", headers={"Authorization": f"Bearer {token}"}).json()["token"]
        person.post("/api/v1/auth/logout", headers={"Authorization": f"Bearer {renewed}"})
    events = written(client, identity, 3)
    assert [(event["action"], event["outcome"]) for event in events] == [
        ("login", "success"),
        ("session-refresh", "success"),
        ("logout", "success"),
    ]
    for event in events:
        assert event["actor"] == {"name": "viewer", "role": "viewer", "credential": "account:viewer"}
        assert event["address"] == "127.0.0.1"
        assert datetime.fromisoformat(event["time"]) <= datetime.now(UTC)


def test_a_login_that_fails_names_the_account_only_if_there_is_one(
    server: RunningServer, client: httpx.Client, identity: str
) -> None:
    with httpx.Client(base_url=server.url, headers={"X-Request-Id": identity}) as stranger:
        for name in ("admin", "a-password-in-the-wrong-field"):
            login = {"username": name, "password": "wrong-password"}
            assert stranger.post("/api/v1/auth/login", json=login).status_code == 401
    events = written(client, identity, 2)
    assert [(event["action"], event["reason"], event["account"]) for event in events] == [
        ("login", "invalid_api_key", "admin"),
        ("login", "invalid_api_key", None),
    ]
    assert "wrong" not in str(events)


def test_who_may_not_is_written_down_once_in_a_while(
    server: RunningServer, client: httpx.Client, named_keys: dict[str, tuple[str, str]]
) -> None:
    """Other tests may have been refused with the same key a moment ago: there is one event at least, and not three."""
    viewer = named_keys["viewer"][0]

    def refused() -> list[dict[str, Any]]:
        query = {"action": "authorization", "actor": "viewer", "limit": "200"}
        events = client.get(AUDIT, params=query).json()["events"]
        return [event for event in events if event["actor"]["credential"].startswith("key:")]

    before = len(refused())
    for _ in range(3):
        assert httpx.get(f"{server.url}{AUDIT}", headers={"Authorization": f"Bearer {viewer}"}).status_code == 403
    events = eventually(refused)
    assert len(events) <= before + 1
    assert (events[0]["outcome"], events[0]["reason"]) == ("failure", "insufficient_role")
    assert viewer not in str(events)


def test_a_transcription_is_written_down_with_its_length_and_not_its_words(
    client: httpx.Client, clip: Path, identity: str
) -> None:
    form: dict[str, Any] = {"data": {"model": "whisper-1"}, "files": {"file": ("x.wav", clip.read_bytes())}}
    answer = client.post(AUDIO, headers={"X-Request-Id": identity}, **form)
    (event,) = written(client, identity)
    assert (event["action"], event["outcome"], event["model"]) == ("transcription", "success", "demo")
    assert event["audio_seconds"] == pytest.approx(answer.json()["usage"]["seconds"], abs=1)
    assert not {word for word in answer.json()["text"].split() if len(word) > 4 and word in str(event)}


def test_a_stream_is_written_down_when_it_has_ended(client: httpx.Client, clip: Path, identity: str) -> None:
    form: dict[str, Any] = {"data": {"model": "whisper-1", "stream": "true"}, "files": {"file": clip.read_bytes()}}
    assert "transcript.text.done" in client.post(AUDIO, headers={"X-Request-Id": identity}, **form).text
    (event,) = written(client, identity)
    assert (event["action"], event["outcome"], event["model"]) == ("transcription", "success", "demo")
    assert event["audio_seconds"] > 4


@pytest.mark.parametrize("path", [AUDIO, "/api/v1/transcriptions"])
@pytest.mark.parametrize(
    ("data", "content", "reason"),
    [
        ({"model": "whisper-1"}, b"no audio at all", "unsupported_audio_format"),
        ({"model": "other"}, b"no audio at all", "model_not_found"),
        ({"model": "whisper-1", "colour": "blue"}, b"no audio at all", None),
    ],
)
def test_audio_that_is_refused_is_a_failure_with_its_reason(
    client: httpx.Client, path: str, data: dict[str, str], content: bytes, reason: str | None
) -> None:
    identity = uuid.uuid4().hex
    answer = client.post(path, data=data, files={"file": content}, headers={"X-Request-Id": identity})
    assert answer.is_client_error
    (event,) = written(client, identity)
    expected = reason or answer.json()["error"]["code"]
    assert (event["action"], event["outcome"], event["reason"]) == ("transcription", "failure", expected)


@pytest.mark.parametrize("stream", ["true", "false"])
def test_a_client_that_leaves_leaves_an_unknown_outcome(
    server: RunningServer, client: httpx.Client, long_clip: Path, identity: str, stream: str
) -> None:
    content = long_clip.read_bytes()

    async def leave() -> None:
        async with httpx.AsyncClient(base_url=server.url, headers=server.headers) as impatient:
            data = {"model": "whisper-1", "stream": stream}
            files = {"file": ("x.flac", content)}
            post = impatient.post(AUDIO, data=data, files=files, headers={"X-Request-Id": identity})
            posting = asyncio.create_task(post)
            await until(lambda: server.app.state.server.loaded.scheduler.backlog_seconds > 0)
            posting.cancel()
            await asyncio.wait({posting})

    asyncio.run(leave())
    (event,) = written(client, identity, action="transcription")
    assert (event["action"], event["outcome"], event["reason"]) == ("transcription", "unknown", None)


def test_live_speech_is_written_down_with_its_length(server: RunningServer, client: httpx.Client, clip: Path) -> None:
    before = {event["id"] for event in client.get(AUDIT, params={"action": "stream"}).json()["events"]}
    with connect(server) as connection:
        say(connection, pcm(clip))

    def found() -> list[dict[str, Any]]:
        events = client.get(AUDIT, params={"action": "stream"}).json()["events"]
        return [event for event in events if event["id"] not in before]

    (event,) = eventually(found, seconds=15)
    assert (event["outcome"], event["model"], event["actor"]["name"]) == ("success", "demo", "owner")
    assert event["audio_seconds"] == pytest.approx(5.5, abs=0.5)


def test_reading_the_audit_is_itself_written_down(client: httpx.Client, identity: str) -> None:
    client.get(AUDIT, headers={"X-Request-Id": identity})
    (event,) = written(client, identity, action="audit-read")
    assert (event["outcome"], event["actor"]["name"]) == ("success", "owner")


def test_pages_follow_one_another(client: httpx.Client) -> None:
    for _ in range(5):
        client.get(AUDIT)
    read = {"action": "audit-read"}
    eventually(lambda: len(client.get(AUDIT, params=read).json()["events"]) > 4, seconds=15)
    now = datetime.now(UTC).isoformat()
    whole = client.get(AUDIT, params={"until": now, "limit": 4}).json()["events"]
    first = client.get(AUDIT, params={"until": now, "limit": 2}).json()
    second = client.get(AUDIT, params={"until": now, "limit": 2, "cursor": first["next"]}).json()
    assert [event["id"] for event in first["events"] + second["events"]] == [event["id"] for event in whole]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "201"},
        {"action": "dance"},
        {"outcome": "perhaps"},
        {"since": "yesterday"},
        {"until": "0.5"},
        {"since": "2026-11-25T12:00:00"},
        {"cursor": "../../etc/passwd"},
        {"actor": "x" * 300},
        {"colour": "blue"},
    ],
)
def test_a_query_that_means_nothing_is_refused(client: httpx.Client, query: dict[str, str]) -> None:
    answer = client.get(AUDIT, params=query)
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == next(iter(query))


def test_what_becomes_of_events_is_counted(server: RunningServer, client: httpx.Client) -> None:
    client.get(AUDIT)
    wanted = 'whisper_audit_events_total{outcome="delivered",sink="store"}'
    text = eventually(lambda: httpx.get(f"{server.management_url}/metrics").text, lambda text: wanted in text)
    for loss in AuditLoss:  # there before the first: else an alert on their rise would not see it
        assert f'whisper_audit_events_total{{outcome="{loss}",sink="store"}} 0.0' in text
