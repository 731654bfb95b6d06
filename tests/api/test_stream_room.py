"""Streams have limits that the operator sets, and more of them than may be are refused in words that help."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.connection import Connection

from tests.support.checkpoints import DEMO_MODEL
from tests.support.patience import eventually
from tests.support.running_server import KEY, RunningServer, running_server
from tests.support.speaking import connect, pcm, until_closed
from whisper_contract.surface import RESUME_HEADER
from whisper_inference.cli.keys import new_api_key
from whisper_inference.quotas.quota import Quota
from whisper_inference.settings import ServerSettings
from whisper_inference.streaming.places import Places

MANY: Final = new_api_key("many", "transcriber", None, Quota(concurrent_streams=10))


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with limits of its own, and room for few streams; one key may have more of them."""
    accounts = tmp_path_factory.mktemp("streams") / "accounts.yaml"
    accounts.write_text(f"keys:\n{MANY.entry}")
    settings = ServerSettings(
        model=str(DEMO_MODEL),
        device="cpu",
        api_key=KEY,
        accounts_file=accounts,
        max_streams=2,
        concurrent_streams=1,
        stream_idle_seconds=500,
        stream_longest_seconds=900,
        stream_resume_seconds=7,
    )
    with running_server(settings) as server:
        yield server


@pytest.fixture(autouse=True)
def _nobody_speaks(strict: RunningServer) -> None:
    """Let the streams of the test before be over."""
    eventually(lambda: strict.app.state.server.loaded.streams.places.standing().open, lambda count: count == 0)
    eventually(lambda: used(strict), lambda count: count == 0)


def test_a_stream_is_told_its_limits(strict: RunningServer) -> None:
    with connect(strict) as connection:
        connection.send(json.dumps({"type": "start"}))
        limits = json.loads(connection.recv(30))["limits"]
        connection.send(json.dumps({"type": "finish"}))
        assert until_closed(connection)[-1]["reason"] == "finished"
    assert (limits["idle_seconds"], limits["longest_seconds"], limits["resume_seconds"]) == (500, 900, 7)


@pytest.mark.parametrize("limit", ["idle", "longest"])
def test_a_stream_ends_when_its_time_is_over(
    strict: RunningServer, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    streams = strict.app.state.server.loaded.streams
    monkeypatch.setattr(streams, "limits", replace(streams.limits, **{limit: 0.3}))
    with connect(strict) as connection:
        connection.send(json.dumps({"type": "start"}))
        assert until_closed(connection)[-1]["reason"] == limit
        assert connection.close_code == 1000


def test_one_stream_too_many_of_a_key_is_refused_and_others_are_counted_apart(strict: RunningServer) -> None:
    with connect(strict) as first:
        first.send(json.dumps({"type": "start"}))
        first.recv(30)
        assert used(strict) == 1
        assert used(strict, "concurrent_requests") == 0
        with pytest.raises(InvalidStatus) as refused:
            connect(strict)
        assert refused.value.response.status_code == 429
        assert json.loads(refused.value.response.body)["error"]["code"] == "concurrency_limit_exceeded"
        with connect(strict, key=False) as browser:
            browser.send(json.dumps({"type": "start", "token": KEY}))
            (told,) = until_closed(browser)
            assert browser.close_code == 1013
        assert told["error"]["code"] == "concurrency_limit_exceeded"
        assert told["error"]["retry_after"] >= 1


def test_a_server_without_room_says_so_to_programs_by_status_and_to_browsers_in_a_message(
    strict: RunningServer,
) -> None:
    headers = {"Authorization": f"Bearer {MANY.key}"}
    with ExitStack() as stack:
        for _ in range(2):
            connection = stack.enter_context(connect(strict, additional_headers=headers))
            connection.send(json.dumps({"type": "start"}))
            connection.recv(30)
        with pytest.raises(InvalidStatus) as refused:
            connect(strict, additional_headers=headers)
        answer = refused.value.response
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
        assert json.loads(answer.body)["error"]["code"] == "overloaded"
        with connect(strict, key=False) as browser:
            browser.send(json.dumps({"type": "start", "token": KEY}))
            (told,) = until_closed(browser)
            assert browser.close_code == 1013
        assert (told["error"]["code"], told["error"]["retry_after"]) == ("overloaded", 5)


def test_a_server_whose_answers_come_late_takes_no_new_stream_but_one_that_goes_on(
    strict: RunningServer, clip: Path
) -> None:
    headers = {"Authorization": f"Bearer {MANY.key}"}
    places = strict.app.state.server.loaded.streams.places
    with connect(strict, additional_headers=headers) as connection:
        token = say_some(connection, pcm(clip))
    eventually(lambda: metrics(strict)["whisper_streams"], lambda count: count == 0)
    with late(places):
        assert (
            metrics(strict).items()
            >= {
                "whisper_stream_slots": 1,
                "whisper_stream_slots_free": 0,
                "whisper_stream_load_ratio": 1,
            }.items()
        )
        refusals = metrics(strict)["whisper_stream_refusals_total"]
        with pytest.raises(InvalidStatus) as refused:
            connect(strict, additional_headers=headers)
        assert refused.value.response.status_code == 429
        assert metrics(strict)["whisper_stream_refusals_total"] == refusals + 1
        resume = {"type": "resume", "resume_token": token}
        with connect(strict, additional_headers=headers | {RESUME_HEADER: "1"}) as connection:
            connection.send(json.dumps(resume))
            assert json.loads(connection.recv(30))["type"] == "ready"
            connection.send(json.dumps({"type": "finish"}))
            assert until_closed(connection)[-1]["type"] == "closed"
        # Who claims to go on and begins a new one is told the same, a message later.
        with connect(strict, additional_headers=headers | {RESUME_HEADER: "1"}) as connection:
            connection.send(json.dumps({"type": "start"}))
            assert until_closed(connection)[-1]["error"]["code"] == "overloaded"
            assert connection.close_code == 1013


def used(server: RunningServer, what: str = "concurrent_streams") -> int:
    """How much the key has under way."""
    return int(httpx.get(f"{server.url}/api/v1/usage", headers=server.headers).json()[what]["used"])


@contextmanager
def late(places: Places) -> Iterator[None]:
    """Answers come late, to one who speaks."""
    with places.take() as told:
        told(1.0)
        for _ in range(30):
            places.answered(300.0)
        yield
        for _ in range(90):
            places.answered(0.0)


def say_some(connection: Connection, sound: bytes) -> str:
    """Say a second, wait for its text, and return what goes on with the stream."""
    connection.send(json.dumps({"type": "start"}))
    token = json.loads(connection.recv(30))["resume_token"]
    connection.send(sound[: len(sound) // 2])
    assert json.loads(connection.recv(60))["type"] in {"partial", "final"}
    return str(token)


def metrics(server: RunningServer) -> dict[str, float]:
    """What a server publishes of streams."""
    lines = httpx.get(f"{server.management_url}/metrics").text.splitlines()
    return {
        name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if "whisper_stream" in line[:14])
    }
