"""What ends a conversation, or lets none begin: limits of a credential and of time, and a server that stops."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.connection import Connection

from tests.api.conftest import EXAMPLES
from tests.support.conversing import COMPLETED, DELTA, append, call, of_kind, receive, set_input, until
from tests.support.patience import eventually
from tests.support.running_server import KEY, RunningServer, running_server
from tests.support.speaking import pcm
from whisper_inference.readiness import Phase
from whisper_inference.settings import ServerSettings


@pytest.fixture(scope="module")
def narrow() -> Iterator[RunningServer]:
    """A server that lets each have one stream at once."""
    model = str(EXAMPLES / "models/demo")
    with running_server(ServerSettings(model=model, device="cpu", api_key=KEY, concurrent_streams=1)) as running:
        yield running


def alone(server: RunningServer) -> Connection:
    """Talk, once the conversation before has given its place back."""
    return eventually(lambda: call(server))


def test_a_program_that_talks_too_often_is_refused_with_a_status(narrow: RunningServer) -> None:
    with alone(narrow) as connection:
        receive(connection)
        with pytest.raises(InvalidStatus) as refused:
            call(narrow)
    answer = refused.value.response
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert json.loads(answer.body or b"")["error"]["code"] == "concurrency_limit_exceeded"


def test_a_browser_that_talks_too_often_is_told_in_an_event(narrow: RunningServer) -> None:
    """Its secret counts as the credential that asked for it."""
    made = httpx.post(f"{narrow.url}/v1/realtime/client_secrets", headers=narrow.headers, json={}).json()
    protocols = ["realtime", f"openai-insecure-api-key.{made['value']}"]
    with alone(narrow) as first:
        receive(first)
        with call(narrow, key=False, subprotocols=protocols) as second:
            event = receive(second)
            assert (event["type"], event["error"]["code"]) == ("error", "concurrency_limit_exceeded")
            assert event["error"]["retry_after"] == 1
            with pytest.raises(ConnectionClosed):
                second.recv(60)
            assert second.close_code == 1013


@pytest.mark.parametrize(("limits", "reason"), [({"idle": 0.1}, "idle"), ({"longest": 0.1}, "longest")])
def test_a_client_is_told_when_its_time_is_over(
    narrow: RunningServer, limits: dict[str, float], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = narrow.app.state.server.loaded.streams
    monkeypatch.setattr(streams, "limits", replace(streams.limits, **limits))
    with alone(narrow) as connection:
        receive(connection)
        event = receive(connection)
        assert (event["type"], event["error"]["code"]) == ("error", "session_expired")
        with pytest.raises(ConnectionClosed):
            connection.recv(60)
        assert (connection.close_code, connection.close_reason) == (1000, reason)


def test_a_server_that_stops_tells_what_it_heard_and_says_so(narrow: RunningServer, clip: Path) -> None:
    readiness = narrow.app.state.server.readiness
    with alone(narrow) as connection:
        receive(connection)
        set_input(connection, turn_detection=None, transcription={"delay": "minimal"})
        append(connection, pcm(clip, rate=24_000)[: 48_000 * 2])
        first = until(connection, DELTA)[-1]["delta"]
        readiness.phase = Phase.DRAINING
        try:
            told = until(connection, "error")
            with pytest.raises(ConnectionClosed):
                connection.recv(60)
        finally:
            readiness.phase = Phase.READY
        assert connection.close_code == 1001
    deltas = "".join([first, *(each["delta"] for each in of_kind(told, DELTA))])
    assert [each["transcript"] for each in of_kind(told, COMPLETED)] == [deltas]
    assert told[-1]["error"]["code"] == "shutting_down"
