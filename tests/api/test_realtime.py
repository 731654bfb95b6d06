"""OpenAI's Realtime transcription: the official client connects unchanged; wishes are obeyed or refused by name."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types.realtime import (
    ConversationItemInputAudioTranscriptionCompletedEvent,
    ConversationItemInputAudioTranscriptionDeltaEvent,
    RealtimeTranscriptionSessionCreateRequest,
    SessionCreatedEvent,
    SessionUpdatedEvent,
)
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support.conversing import COMPLETED, DELTA, append, call, of_kind, receive, send, set_input, until
from tests.support.patience import eventually
from tests.support.running_server import KEY, RunningServer
from tests.support.speaking import pcm, say_the_same

PAUSE = b"\0" * 48_000
"""A second in which nobody speaks."""
TEXT = "Please fix the fast pump. Anna rice bottle temperature."
FIRST = "Please fix the fast pump."
TRANSCRIPTION = {"intent": "transcription"}

legacy = pytest.mark.filterwarnings(r"ignore:connect\(\) must be used:DeprecationWarning")
"""The official client opens its sockets in a way that websockets wants to see the last of."""


def first_sentence(clip: Path) -> bytes:
    """Two seconds of the clip, at 24 kHz in 16 bits."""
    return pcm(clip, rate=24_000)[: 48_000 * 2]


@legacy
def test_the_official_client_reads_deltas_and_the_whole_text(openai_client: openai.OpenAI, clip: Path) -> None:
    sound = pcm(clip, rate=24_000) + PAUSE
    told: dict[str, str] = {}
    completed: dict[str, str] = {}
    with openai_client.realtime.connect(extra_query=TRANSCRIPTION) as connection:
        created = connection.recv()
        assert isinstance(created, SessionCreatedEvent)
        assert isinstance(created.session, RealtimeTranscriptionSessionCreateRequest)
        connection.session.update(
            session={
                "type": "transcription",
                "audio": {
                    "input": {
                        "format": {"type": "audio/pcm", "rate": 24000},
                        "transcription": {"model": "whisper-1", "language": "en", "delay": "low"},
                        "turn_detection": {"type": "server_vad", "silence_duration_ms": 400},
                    }
                },
            }
        )
        assert isinstance(connection.recv(), SessionUpdatedEvent)
        for begin in range(0, len(sound), 4800):
            connection.input_audio_buffer.append(audio=base64.b64encode(sound[begin : begin + 4800]).decode())
        for event in connection:
            if isinstance(event, ConversationItemInputAudioTranscriptionDeltaEvent):
                told[event.item_id] = told.get(event.item_id, "") + (event.delta or "")
            if isinstance(event, ConversationItemInputAudioTranscriptionCompletedEvent):
                completed[event.item_id] = event.transcript
                assert event.usage.type == "duration"
            if len(completed) == 2:
                break
    assert told == completed
    assert say_the_same(" ".join(completed.values()), TEXT)


@legacy
def test_the_example_of_the_documentation_works(
    server: RunningServer, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs/realtime.md").read_text()
    example = page.partition("```python\n")[2].partition("```")[0]
    meanings = {"http://127.0.0.1:8000": server.url, "the key": KEY, "examples/audio/unseen_0.wav": str(clip)}
    for written, meant in meanings.items():
        assert written in example
        example = example.replace(written, meant)
    exec(compile(example, "docs/realtime.md", "exec"), {})  # noqa: S102 - our own
    assert capsys.readouterr().out == f"{TEXT}\n"


def test_the_asynchronous_client_commits_by_itself(server: RunningServer, clip: Path) -> None:
    async def talk() -> str:
        sound = base64.b64encode(pcm(clip, rate=24_000)).decode()
        async with (
            openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY) as client,
            client.realtime.connect(model="whisper-1") as connection,
        ):
            await connection.session.update(
                session={"type": "transcription", "audio": {"input": {"turn_detection": None}}}
            )
            await connection.input_audio_buffer.append(audio=sound)
            await connection.input_audio_buffer.commit()
            async for event in connection:
                if isinstance(event, ConversationItemInputAudioTranscriptionCompletedEvent):
                    return event.transcript
        return ""

    assert asyncio.run(talk()) == TEXT


def test_a_turn_is_told_from_its_first_word_to_its_text(server: RunningServer, clip: Path) -> None:
    with call(server) as connection:
        assert receive(connection)["type"] == "session.created"
        append(connection, pcm(clip, rate=24_000) + PAUSE)
        told = until(connection, COMPLETED)
        second = until(connection, COMPLETED)
    kinds = [event["type"] for event in told if event["type"] != DELTA]
    assert kinds == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        COMPLETED,
    ]
    assert len({event.get("item_id") or event["item"]["id"] for event in told}) == 1
    assert told[-1]["usage"]["seconds"] == pytest.approx(1.9, abs=0.3)
    committed = of_kind(second, "input_audio_buffer.committed")[0]
    assert committed["previous_item_id"] == told[-1]["item_id"]
    assert len({event["event_id"] for event in told + second}) == len(told + second)


def test_text_comes_while_somebody_speaks_and_before_the_turn_is_committed(
    server: RunningServer, long_clip: Path
) -> None:
    with call(server) as connection:
        receive(connection)
        set_input(connection, turn_detection=None, transcription={"delay": "minimal"})
        append(connection, pcm(long_clip, rate=24_000)[: 48_000 * 6])
        delta = until(connection, DELTA)[-1]
        send(connection, "input_audio_buffer.commit")
        told = until(connection, COMPLETED)
    text = "".join(event["delta"] for event in [delta, *of_kind(told, DELTA)])
    assert text == told[-1]["transcript"]
    assert {event["item_id"] for event in of_kind(told, DELTA)} <= {delta["item_id"]}
    assert told[-1]["item_id"] == delta["item_id"]
    assert told[-1]["usage"] == {"type": "duration", "seconds": pytest.approx(6, abs=0.1)}


@pytest.mark.parametrize(("name", "codec"), [("audio/pcmu", "pcm_mulaw"), ("audio/pcma", "pcm_alaw")])
def test_telephones_are_understood(server: RunningServer, clip: Path, name: str, codec: Any) -> None:  # noqa: ANN401 - an Encoding
    with call(server) as connection:
        receive(connection)
        set_input(connection, format={"type": name}, turn_detection=None)
        append(connection, pcm(clip, codec, 8_000)[:16_000], 800)
        send(connection, "input_audio_buffer.commit")
        completed = until(connection, COMPLETED)[-1]
    assert len(completed["transcript"].split()) == pytest.approx(len(FIRST.split()), abs=2)


def test_log_probabilities_of_tokens_come_where_they_are_asked_for(server: RunningServer, clip: Path) -> None:
    with call(server) as connection:
        receive(connection)
        include = ["item.input_audio_transcription.logprobs"]
        send(connection, "session.update", session={"type": "transcription", "include": include})
        assert receive(connection)["session"]["include"] == include
        append(connection, first_sentence(clip) + PAUSE)
        completed = until(connection, COMPLETED)[-1]
    assert "".join(each["token"] for each in completed["logprobs"]).strip() == completed["transcript"]
    assert all(each["logprob"] <= 0 and each["bytes"] for each in completed["logprobs"])


def test_what_is_cleared_is_not_transcribed(server: RunningServer, clip: Path) -> None:
    sound = first_sentence(clip)
    with call(server) as connection:
        receive(connection)
        set_input(connection, turn_detection=None)
        append(connection, sound)
        send(connection, "input_audio_buffer.clear")
        until(connection, "input_audio_buffer.cleared")
        send(connection, "input_audio_buffer.commit", event_id="mine")
        error = receive(connection)["error"]
        assert (error["code"], error["event_id"]) == ("input_audio_buffer_commit_empty", "mine")
        append(connection, sound)
        send(connection, "input_audio_buffer.commit")
        assert say_the_same(until(connection, COMPLETED)[-1]["transcript"], FIRST)


def test_a_session_can_be_set_otherwise_in_the_middle_of_a_sentence(server: RunningServer, clip: Path) -> None:
    sound = first_sentence(clip)
    with call(server) as connection:
        receive(connection)
        append(connection, sound[:48_000])
        send(connection, "transcription_session.update", session={"input_audio_transcription": {"language": "en"}})
        updated = until(connection, "transcription_session.updated")[-1]["session"]
        assert updated["input_audio_format"] == "pcm16"
        assert updated["input_audio_transcription"] == {"model": "demo", "language": "en", "prompt": None}
        append(connection, sound[48_000:] + PAUSE)
        assert say_the_same(until(connection, COMPLETED)[-1]["transcript"], FIRST)


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        ({"noise_reduction": {"type": "near_field"}}, "noise_reduction", "unsupported_field"),
        ({"turn_detection": {"type": "semantic_vad"}}, "turn_detection", "unsupported_field"),
        ({"turn_detection": {"type": "server_vad", "idle_timeout_ms": 6000}}, "turn_detection.idle_timeout_ms", None),
        ({"transcription": {"keywords": ["Anna"]}}, "transcription.keywords", "unsupported_field"),
        ({"transcription": {"delay": "eternal"}}, "transcription.delay", "invalid_value"),
        ({"transcription": {"language": "klingon"}}, "transcription.language", "invalid_value"),
        ({"transcription": {"model": "gpt-4o-transcribe"}}, "transcription.model", "model_not_found"),
        ({"transcription": {"prompt": "word " * 400}}, "transcription.prompt", "invalid_value"),
        ({"transcription": None}, "transcription", "unsupported_field"),
        ({"format": {"type": "audio/opus"}}, "format.type", "invalid_value"),
        ({"colour": "blue"}, "colour", "invalid_value"),
    ],
)
def test_a_wish_that_cannot_be_obeyed_is_refused_by_name_and_the_session_goes_on(
    server: RunningServer, given: dict[str, Any], param: str, code: str | None
) -> None:
    with call(server) as connection:
        before = receive(connection)["session"]
        error = set_input(connection, **given)["error"]
        assert error["param"] == f"session.audio.input.{param}"
        assert error["code"] == (code or "unsupported_field")
        send(connection, "session.update", session={"type": "transcription"})
        assert receive(connection)["session"] == before


def test_events_of_sessions_that_answer_are_refused_by_name(server: RunningServer) -> None:
    with call(server) as connection:
        receive(connection)
        send(connection, "response.create", event_id="a")
        error = receive(connection)["error"]
        assert (error["code"], error["param"], error["event_id"]) == ("unsupported_field", "type", "a")
        assert "response.create" in error["message"]
        connection.send(b"\0\0")
        assert receive(connection)["error"]["code"] == "invalid_value"


@legacy
def test_a_client_secret_opens_conversations_as_it_was_asked_for(openai_client: openai.OpenAI, clip: Path) -> None:
    made = openai_client.realtime.client_secrets.create(
        expires_after={"anchor": "created_at", "seconds": 30},
        session={"type": "transcription", "audio": {"input": {"turn_detection": None}}},
    )
    assert made.value.startswith("ek_")
    browser = openai_client.with_options(api_key=made.value)
    for _ in range(2):  # clients connect again
        with browser.realtime.connect(extra_query=TRANSCRIPTION) as connection:
            created = connection.recv()
            assert isinstance(created, SessionCreatedEvent)
            assert isinstance(created.session, RealtimeTranscriptionSessionCreateRequest)
            assert created.session.audio is not None
            assert created.session.audio.input is not None
            assert created.session.audio.input.turn_detection is None
    with pytest.raises(openai.AuthenticationError):
        browser.audio.transcriptions.create(file=clip, model="whisper-1")
    with pytest.raises(openai.AuthenticationError):
        browser.realtime.client_secrets.create()


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"expires_after": {"anchor": "created_at", "seconds": 5}}, "expires_after.seconds", "invalid_value"),
        ({"expires_after": {"anchor": "created_at", "seconds": 7201}}, "expires_after.seconds", "invalid_value"),
        ({"session": {"type": "realtime"}}, "session.type", "invalid_value"),
        (
            {"session": {"audio": {"input": {"noise_reduction": {"type": "far_field"}}}}},
            "session.audio.input.noise_reduction",
            "unsupported_field",
        ),
        ({"colour": "blue"}, "colour", "invalid_value"),
    ],
)
def test_a_client_secret_for_what_is_not_served_is_refused(
    client: httpx.Client, body: dict[str, Any], param: str, code: str
) -> None:
    answer = client.post("/v1/realtime/client_secrets", json=body)
    assert answer.status_code == 400
    assert (answer.json()["error"]["param"], answer.json()["error"]["code"]) == (param, code)


def test_a_browser_offers_its_secret_as_a_subprotocol_that_is_not_echoed(
    server: RunningServer, client: httpx.Client
) -> None:
    secret = client.post("/v1/realtime/client_secrets", json={}).json()["value"]
    protocols = ["realtime", f"openai-insecure-api-key.{secret}"]
    with call(server, key=False, subprotocols=protocols, origin=server.url) as connection:
        assert connection.subprotocol == "realtime"
        assert receive(connection)["type"] == "session.created"


def test_a_browser_is_told_in_an_event_why_it_is_refused(server: RunningServer) -> None:
    protocols = ["realtime", "openai-insecure-api-key.ek_wrong"]
    with call(server, key=False, subprotocols=protocols) as connection:
        event = receive(connection)
        assert (event["type"], event["error"]["code"]) == ("error", "invalid_api_key")
        with pytest.raises(ConnectionClosed):
            connection.recv(10)
        assert connection.close_code == 1008


@pytest.mark.parametrize(
    ("options", "status", "param"),
    [
        ({"additional_headers": {"Authorization": "Bearer wrong"}}, 401, None),
        ({"additional_headers": {}}, 401, None),
        ({"origin": "https://evil.example"}, 403, None),
        ({"query": "?intent=translation"}, 400, "intent"),
        ({"query": "?intent=transcription&token=x"}, 400, "token"),
        ({"query": "?model=gpt-realtime"}, 404, "model"),
        ({"subprotocols": ["graphql-ws"]}, 400, None),
    ],
)
def test_a_program_is_refused_with_a_status(
    server: RunningServer, options: dict[str, Any], status: int, param: str | None
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        call(server, **options)
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body or b"")["error"]["param"] == param


def test_older_clients_are_spoken_to_in_the_older_form(server: RunningServer, clip: Path) -> None:
    headers = server.headers | {"OpenAI-Beta": "realtime=v1"}
    with call(server, additional_headers=headers) as connection:
        created = receive(connection)
        assert created["type"] == "transcription_session.created"
        assert created["session"]["input_audio_format"] == "pcm16"
        session = {
            "input_audio_format": "g711_ulaw",
            "input_audio_transcription": {"model": "whisper-1", "prompt": "Pumps.", "language": "en"},
            "turn_detection": {"type": "server_vad", "threshold": 0.4, "prefix_padding_ms": 200},
            "input_audio_noise_reduction": None,
        }
        send(connection, "transcription_session.update", session=session)
        updated = receive(connection)
        assert updated["type"] == "transcription_session.updated"
        assert updated["session"]["turn_detection"]["silence_duration_ms"] == 500
        append(connection, pcm(clip, "pcm_mulaw", 8_000)[:16_000] + b"\xff" * 8_000)
        told = until(connection, COMPLETED)
    assert of_kind(told, "conversation.item.created")
    assert not of_kind(told, "conversation.item.added")


def test_a_conversation_is_counted_while_it_is_open_and_written_down_when_it_is_over(
    server: RunningServer, client: httpx.Client, clip: Path
) -> None:
    def count() -> str:
        text = httpx.get(f"{server.management_url}/metrics").text
        return next(line for line in text.splitlines() if line.startswith("whisper_streams "))

    eventually(count, lambda line: line == "whisper_streams 0.0")
    with call(server) as connection:
        receive(connection)
        set_input(connection, turn_detection=None)
        assert count() == "whisper_streams 1.0"
        append(connection, first_sentence(clip))
        send(connection, "input_audio_buffer.commit")
        until(connection, COMPLETED)
    eventually(count, lambda line: line == "whisper_streams 0.0")

    def last() -> dict[str, Any]:
        page = client.get("/api/v1/audit", params={"action": "stream", "limit": 1}).json()
        event: dict[str, Any] = page["events"][0]
        return event

    written = eventually(last, lambda event: event["audio_seconds"] == pytest.approx(2, abs=0.1))
    assert (written["outcome"], written["model"]) == ("success", "demo")
