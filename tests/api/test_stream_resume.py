"""A stream survives its connection, and its server: no word that was promised is lost or told twice."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from websockets.sync.connection import Connection

from tests.api.conftest import EXAMPLES
from tests.support.audio_samples import wav
from tests.support.recorder import record
from tests.support.running_server import KEY, RunningServer
from tests.support.speaking import Told, connect, final_text, pcm, say, say_the_same, until_closed
from tests.support.switchboard import Switchboard
from tests.support.talking import hear, spoken, takes_nothing_back, told_text
from whisper_inference.errors import StreamRefused
from whisper_inference.streaming.client import StreamClient
from whisper_inference.streaming.frames import Encoding
from whisper_inference.streaming.protocol import PartialText, Ready

pytestmark = pytest.mark.slow

BYTES_PER_SECOND = 32_000


@pytest.fixture(scope="module")
def sound() -> bytes:
    """Ten seconds with a pause in them."""
    return pcm(EXAMPLES / "audio/unseen_0.wav") + b"\0" * BYTES_PER_SECOND + pcm(EXAMPLES / "audio/unseen_1.wav")


@pytest.fixture(scope="module")
def expected(replicas: list[RunningServer], sound: bytes) -> str:
    """The text of a stream that nothing happens to."""
    with connect(replicas[0]) as connection:
        return final_text(say(connection, sound))


def begin(connection: Connection, sound: bytes, seconds: float | None = None, **start: object) -> Told:
    """Start, say so much, and return what is told until the last of it was heard."""
    connection.send(json.dumps({"type": "start", **start}))
    plays = len(sound) / BYTES_PER_SECOND if seconds is None else seconds
    told = [json.loads(connection.recv(30))]
    for offset in range(0, len(sound), 3200):
        connection.send(sound[offset : offset + 3200])
    while told[-1].get("heard_seconds", 0) < plays - 1:
        told.append(json.loads(connection.recv(60)))
    return told


def go_on(connection: Connection, before: Told, sound: bytes) -> Told:
    """Resume, say the rest, and return all that is told."""
    finals = sum(each["type"] == "final" for each in before)
    token = before[0]["resume_token"]
    connection.send(json.dumps({"type": "resume", "resume_token": token, "finals": finals}))
    ready = json.loads(connection.recv(30))
    if ready["type"] == "ready":
        for offset in range(ready["from_byte"], len(sound), 3200):
            connection.send(sound[offset : offset + 3200])
        connection.send(json.dumps({"type": "finish"}))
    return [ready, *until_closed(connection)]


@pytest.mark.parametrize("seconds", [3.5, 8.5])
def test_another_replica_goes_on_where_a_lost_connection_ended(
    replicas: list[RunningServer], sound: bytes, expected: str, seconds: float
) -> None:
    said = sound[: int(seconds * BYTES_PER_SECOND)]
    with connect(replicas[0]) as connection:
        before = begin(connection, said)
        connection.socket.close()
    with connect(replicas[1]) as connection:
        after = go_on(connection, before, sound)
    assert after[0]["from_sample"] * 2 > len(said) - 2 * BYTES_PER_SECOND
    assert say_the_same(final_text(before + after), expected)
    ids = [each["id"] for each in before + after if each["type"] == "final"]
    assert ids == list(range(len(ids)))
    assert after[-1]["usage"]["seconds"] == pytest.approx(len(sound) / BYTES_PER_SECOND, abs=0.1)


@pytest.mark.parametrize("encoding", ["webm_opus", "ogg_opus"])
def test_a_recording_goes_on_elsewhere_without_its_head(
    replicas: list[RunningServer], expected: str, sound: bytes, encoding: Encoding
) -> None:
    recording = record(wav(sound), encoding)
    said = recording[: int(0.6 * len(recording))]
    with connect(replicas[0]) as connection:
        before = begin(connection, said, seconds=6, audio={"encoding": encoding})
        connection.socket.close()
    with connect(replicas[1]) as connection:
        after = go_on(connection, before, recording)
    assert after[0]["from_byte"] > len(recording) // 3
    assert after[0]["from_sample"] > 4 * 48_000
    assert say_the_same(final_text(before + after), expected)
    ids = [each["id"] for each in before + after if each["type"] == "final"]
    assert ids == list(range(len(ids)))


def test_segments_that_the_client_did_not_get_are_told_again(
    replicas: list[RunningServer], sound: bytes, expected: str
) -> None:
    with connect(replicas[0]) as connection:
        before = begin(connection, sound[: int(8.5 * BYTES_PER_SECOND)])
        while not final_text(before):
            before.append(json.loads(connection.recv(60)))
    with connect(replicas[1]) as connection:
        after = go_on(connection, before[:1], sound)
    assert say_the_same(final_text(after), expected)


def test_a_server_that_stops_hands_its_streams_over(replicas: list[RunningServer], sound: bytes, expected: str) -> None:
    with connect(replicas[1]) as connection:
        before = begin(connection, sound[: int(3.5 * BYTES_PER_SECOND)])
        readiness = replicas[1].app.state.server.readiness
        phase, readiness.phase = readiness.phase, type(readiness.phase).DRAINING
        try:
            before += until_closed(connection)
        finally:
            readiness.phase = phase
        assert connection.close_code == 1001
    assert [each["type"] for each in before[-2:]] == ["drain", "closed"]
    with connect(replicas[0]) as connection:
        assert say_the_same(final_text(before + go_on(connection, before, sound)), expected)


@pytest.mark.parametrize("case", ["unknown", "finished"])
def test_a_stream_that_is_not_there_is_refused(replicas: list[RunningServer], sound: bytes, case: str) -> None:
    token = "f" * 64
    if case == "finished":
        with connect(replicas[0]) as connection:
            token = say(connection, sound[:BYTES_PER_SECOND])[0]["resume_token"]
    with connect(replicas[0]) as connection:
        told = go_on(connection, [{"type": "ready", "resume_token": token}], sound)
        assert connection.close_code == 1008
    assert [each["type"] for each in told] == ["error"]
    assert told[0]["error"]["code"] == "stream_not_found"


def test_the_connection_before_is_told_that_another_goes_on(replicas: list[RunningServer], sound: bytes) -> None:
    said = sound[: int(3.5 * BYTES_PER_SECOND)]
    with connect(replicas[0]) as first, connect(replicas[1]) as second:
        before = begin(first, said)
        second.send(json.dumps({"type": "resume", "resume_token": before[0]["resume_token"]}))
        assert json.loads(second.recv(30))["type"] == "ready"
        first.send(sound[len(said) : len(said) + 2 * BYTES_PER_SECOND])
        told = until_closed(first)
    assert told[-1]["error"]["code"] == "stream_taken"


def test_the_client_goes_on_by_itself(replicas: list[RunningServer], sound: bytes, expected: str) -> None:
    with Switchboard(replicas[0].url) as switchboard:

        def lose() -> None:
            switchboard.switch(replicas[switchboard.connections % 2].url)
            switchboard.cut()

        heard = asyncio.run(hear(StreamClient(switchboard.url, KEY), spoken(sound, {40: lose, 75: lose})))
        assert switchboard.connections >= 3
    assert say_the_same(told_text(heard), expected)
    assert takes_nothing_back(heard)
    assert sum(isinstance(each, Ready) for each in heard) == 1
    assert any(isinstance(each, PartialText) for each in heard)


def test_the_client_says_what_is_wrong_with_its_source(replicas: list[RunningServer]) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"\0" * 3200
        raise OSError("the microphone is gone")

    with pytest.raises(StreamRefused, match="broke off: the microphone"):
        asyncio.run(hear(StreamClient(replicas[0].url, KEY), broken()))
