"""A program speaks into a WebSocket and reads text that grows, and ends as the recording's own transcript."""

import json
import time
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support.patience import eventually
from tests.support.recorder import cut, record
from tests.support.running_server import KEY, RunningServer
from tests.support.speaking import Told, connect, final_text, pcm, say, say_the_same, until_closed
from whisper_inference.streaming.frames import Encoding


def batch_text(server: RunningServer, clip: Path) -> str:
    files = {"file": ("x", clip.read_bytes())}
    post = httpx.post(
        f"{server.url}/v1/audio/transcriptions",
        headers=server.headers,
        data={"model": "whisper-1"},
        files=files,
        timeout=60,
    )
    return str(post.json()["text"])


def kinds(told: Told) -> list[str]:
    """What was told, but for how far behind the server is: that depends on the machine."""
    return [each["type"] for each in told if each["type"] != "status"]


def test_what_is_said_becomes_text_that_grows_and_ends_as_the_recording_s_own(
    server: RunningServer, clip: Path
) -> None:
    with connect(server) as connection:
        assert connection.subprotocol == "whisper.v1"
        told = say(connection, pcm(clip), partial_interval_seconds=0.5)
        assert connection.close_code == 1000
    assert told[0]["type"] == "ready"
    assert told[0]["device"] == "cpu"
    assert say_the_same(final_text(told), batch_text(server, clip))
    assert told[-1]["type"] == "closed"
    assert told[-1]["reason"] == "finished"
    assert told[-1]["usage"] == {"type": "duration", "seconds": pytest.approx(5.5, abs=0.5)}
    assert "partial" in kinds(told)


def test_stable_text_is_never_taken_back(server: RunningServer, clip: Path) -> None:
    with connect(server) as connection:
        told = say(connection, pcm(clip), partial_interval_seconds=0.2, agreement=1)
    final = published = ""
    for message in told:
        stable = message["stable_text"] if message["type"] == "partial" else ""
        final += message["text"] if message["type"] == "final" else ""
        if message["type"] in {"partial", "endpoint", "closed"}:
            assert (final + stable).startswith(published)
            published = final + stable
    assert published.strip() == final_text(told)


@pytest.mark.parametrize(
    ("encoding", "rate"), [("pcm_f32le", 48_000), ("pcm_s16le", 24_000), ("pcm_mulaw", 8_000), ("pcm_alaw", 8_000)]
)
def test_sound_comes_in_many_shapes(server: RunningServer, clip: Path, encoding: Encoding, rate: int) -> None:
    with connect(server) as connection:
        told = say(connection, pcm(clip, encoding, rate), audio={"encoding": encoding, "sample_rate": rate})
    assert len(final_text(told).split()) == pytest.approx(len(batch_text(server, clip).split()), abs=2)


@pytest.mark.parametrize("encoding", ["webm_opus", "ogg_opus"])
def test_a_browser_s_recording_becomes_text_however_it_is_cut(
    server: RunningServer, clip: Path, encoding: Encoding
) -> None:
    with connect(server) as connection:
        start = {"type": "start", "audio": {"encoding": encoding}, "partial_interval_seconds": 10}
        connection.send(json.dumps(start))
        for piece in cut(record(clip, encoding), seed=7):
            connection.send(piece)
        connection.send(json.dumps({"type": "finish"}))
        told = until_closed(connection)
    assert final_text(told) == batch_text(server, clip)
    assert told[-1]["usage"]["seconds"] == pytest.approx(5.5, abs=0.5)


@pytest.mark.parametrize("encoding", ["webm_opus", "ogg_opus"])
def test_what_is_no_recording_ends_the_stream_with_a_sentence(
    server: RunningServer, clip: Path, encoding: Encoding
) -> None:
    with connect(server) as connection:
        connection.send(json.dumps({"type": "start", "audio": {"encoding": encoding}}))
        connection.send(pcm(clip)[:3200])
        told = until_closed(connection)
        assert connection.close_code == 1008
    assert told[-1]["error"]["code"] == "unreadable_audio"


def test_words_have_times_where_they_are_asked_for(server: RunningServer, clip: Path) -> None:
    with connect(server) as connection:
        told = say(connection, pcm(clip), word_timestamps=True)
    words = [word for each in told if each["type"] == "final" for word in each["words"]]
    assert "".join(word["word"] for word in words).strip() == final_text(told)
    assert [word["start"] for word in words] == sorted(word["start"] for word in words)


def test_silence_says_nothing(server: RunningServer) -> None:
    with connect(server) as connection:
        told = say(connection, b"\0" * 32_000 * 10)
    assert kinds(told) == ["ready", "closed"]


@pytest.mark.parametrize("way", ["header", "message", "subprotocol"])
def test_a_credential_comes_by_header_by_message_or_by_subprotocol(server: RunningServer, way: str) -> None:
    options = {"subprotocols": ["whisper.v1", f"whisper.token.{KEY}"]} if way == "subprotocol" else {}
    start = {"token": KEY} if way == "message" else {}
    with connect(server, key=way == "header", **options) as connection:
        assert connection.subprotocol == "whisper.v1"
        assert kinds(say(connection, b"", **start)) == ["ready", "closed"]


@pytest.mark.parametrize("way", ["message", "subprotocol"])
def test_a_stream_token_opens_one_stream(server: RunningServer, way: str) -> None:
    answer = httpx.post(f"{server.url}/api/v1/stream-tokens", headers=server.headers)
    token = answer.json()["token"]
    options = {"subprotocols": ["whisper.v1", f"whisper.token.{token}"]} if way == "subprotocol" else {}
    start = {"token": token} if way == "message" else {}
    with connect(server, key=False, **options) as connection:
        assert kinds(say(connection, b"", **start)) == ["ready", "closed"]
    with connect(server, key=False, **options) as connection:
        connection.send(json.dumps({"type": "start"} | start))
        told = until_closed(connection)
    assert told[0]["error"]["code"] == "invalid_api_key"
    with pytest.raises(InvalidStatus):  # where a header can be sent, a key is, too
        connect(server, additional_headers={"Authorization": f"Bearer {token}"})


def test_a_program_without_a_good_credential_gets_a_status(
    server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(server, additional_headers={"Authorization": "Bearer wrong"})
    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body or b"")["error"]["code"] == "invalid_api_key"
    assert refused.value.response.headers["X-Request-Id"]
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "start"}, "invalid_api_key"),
        ({"type": "start", "token": "wrong"}, "invalid_api_key"),
        ({"type": "start", "token": KEY, "colour": "blue"}, "invalid_value"),
        ({"type": "start", "token": KEY, "language": "klingon"}, "invalid_value"),
        ({"type": "start", "token": KEY, "audio": {"encoding": "opus"}}, "invalid_value"),
        ({"type": "start", "token": KEY, "audio": {"encoding": "webm_opus", "sample_rate": 16000}}, "invalid_value"),
        ({"type": "finish"}, "invalid_value"),
        ({"type": "sing"}, "invalid_value"),
    ],
)
def test_a_browser_is_told_in_a_message_what_is_wrong(
    server: RunningServer, message: dict[str, object], code: str
) -> None:
    with connect(server, key=False) as connection:
        connection.send(json.dumps(message))
        told = until_closed(connection)[0]
        assert connection.close_code == 1008
    assert told["type"] == "error"
    assert told["error"]["code"] == code
    assert set(told["error"]) == {"message", "type", "param", "code", "correlation_id", "retry_after"}
    assert "wrong" not in json.dumps(told["error"]["message"].replace("wrong credential", ""))


@pytest.mark.parametrize("frame", [b"\0" * (2 << 20), "{", '{"type": "start"}'])
def test_what_no_stream_may_send_ends_it(server: RunningServer, frame: str | bytes) -> None:
    with connect(server) as connection:
        connection.send(json.dumps({"type": "start"}))
        connection.send(frame)
        told = until_closed(connection)
    assert kinds(told) == ["ready", "error"]


def test_pages_of_other_origins_are_refused(server: RunningServer) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(server, origin="https://evil.example")
    assert refused.value.response.status_code == 403
    own = server.url
    with connect(server, origin=own) as connection:
        assert kinds(say(connection, b"")) == ["ready", "closed"]


def test_another_subprotocol_is_refused_and_so_is_a_query(server: RunningServer) -> None:
    for options in ({"subprotocols": ["graphql-ws"]}, {"query": "?token=x"}):
        with pytest.raises(InvalidStatus) as refused:
            connect(server, **options)
        assert refused.value.response.status_code == 400


def test_a_client_that_goes_takes_its_work_with_it(server: RunningServer, long_clip: Path) -> None:
    loaded = server.app.state.server.loaded
    with connect(server) as connection:
        connection.send(json.dumps({"type": "start"}))
        sound = pcm(long_clip)
        for offset in range(0, len(sound) // 2, 32_000):
            connection.send(sound[offset : offset + 32_000])
        connection.recv(30)
    began = time.monotonic()
    eventually(lambda: (loaded.scheduler.slots_in_use, loaded.scheduler.waiting_windows), lambda found: found == (0, 0))
    eventually(lambda: loaded.streams.places.standing().open, lambda streams: streams == 0)
    assert time.monotonic() - began < 5


def test_a_stream_is_counted_while_it_is_open(server: RunningServer) -> None:
    def count() -> str:
        text = httpx.get(f"{server.management_url}/metrics").text
        return next(line for line in text.splitlines() if line.startswith("whisper_streams "))

    with connect(server) as connection:
        connection.send(json.dumps({"type": "start"}))
        connection.recv(30)
        assert count() == "whisper_streams 1.0"
    eventually(count, lambda line: line == "whisper_streams 0.0")


def test_a_closed_connection_ends_quietly(server: RunningServer) -> None:
    with connect(server, key=False) as connection:
        connection.close()
        with pytest.raises(ConnectionClosed):
            connection.recv(5)
