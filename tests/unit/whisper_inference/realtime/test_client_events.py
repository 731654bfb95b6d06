"""Whatever a client sends is understood, or refused by name."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_inference.errors import InvalidRequest, UnsupportedField, WhisperError
from whisper_inference.realtime.client_events import (
    Append,
    Clear,
    Commit,
    OldSessionUpdate,
    SessionUpdate,
    event_id_of,
    parse_event,
)

G711_OF_ANOTHER_RATE = {"type": "audio/pcmu", "rate": 9000}


def parsed(**event: Any) -> object:  # noqa: ANN401 - whatever a client sends
    return parse_event(json.dumps(event))


def test_every_event_of_a_session_that_transcribes_is_understood() -> None:
    assert isinstance(parsed(type="input_audio_buffer.append", audio="AAAA", event_id="a"), Append)
    assert isinstance(parsed(type="input_audio_buffer.commit"), Commit)
    assert isinstance(parsed(type="input_audio_buffer.clear"), Clear)
    assert isinstance(parsed(type="session.update", session={"type": "transcription"}), SessionUpdate)
    assert isinstance(parsed(type="transcription_session.update", session={}), OldSessionUpdate)


def test_nothing_that_is_asked_for_as_null_is_refused() -> None:
    given = {
        "noise_reduction": None,
        "turn_detection": {"type": "server_vad", "idle_timeout_ms": None, "create_response": False},
        "transcription": {"keywords": None, "languages": None, "delay": None, "prompt": None, "language": None},
    }
    assert isinstance(parsed(type="session.update", session={"audio": {"input": given}}), SessionUpdate)


@pytest.mark.parametrize(
    ("event", "kind", "param"),
    [
        ({}, InvalidRequest, None),
        ({"type": "input_audio_buffer.append"}, InvalidRequest, "audio"),
        ({"type": "input_audio_buffer.append", "audio": 3}, InvalidRequest, "audio"),
        ({"type": "input_audio_buffer.commit", "colour": 1}, InvalidRequest, "colour"),
        ({"type": "session.update", "session": {"type": "realtime"}}, InvalidRequest, "session.type"),
        ({"type": "session.update", "session": {"instructions": "x"}}, InvalidRequest, "session.instructions"),
        ({"type": "session.update"}, InvalidRequest, "session"),
        ({"type": "conversation.item.create", "item": {}}, UnsupportedField, "type"),
        ({"type": "sing"}, InvalidRequest, "type"),
        (
            {
                "type": "session.update",
                "session": {"audio": {"input": {"format": {"type": "audio/pcmu", "rate": 9000}}}},
            },
            InvalidRequest,
            "session.audio.input.format",
        ),
        (
            {"type": "session.update", "session": {"audio": {"input": {"transcription": {"languages": ["en"]}}}}},
            UnsupportedField,
            "session.audio.input.transcription.languages",
        ),
        (
            {"type": "transcription_session.update", "session": {"client_secret": {}}},
            UnsupportedField,
            "session.client_secret",
        ),
        (
            {"type": "transcription_session.update", "session": {"input_audio_noise_reduction": {"type": "far_field"}}},
            UnsupportedField,
            "session.input_audio_noise_reduction",
        ),
    ],
)
def test_what_cannot_be_obeyed_is_refused_by_name(event: dict[str, Any], kind: type[WhisperError], param: str) -> None:
    with pytest.raises(kind) as refused:
        parsed(**event)
    assert type(refused.value) is kind
    assert refused.value.param == param


def test_an_event_that_cannot_be_understood_still_has_its_name() -> None:
    assert event_id_of('{"type": "sing", "event_id": "mine"}') == "mine"
    assert event_id_of('{"event_id": 3}') is None
    assert event_id_of("[" * 100_000) is None
    assert event_id_of(b"\xff") is None


def refusal(text: str) -> WhisperError | None:
    """Return why an event is refused, if it is."""
    try:
        parse_event(text)
    except (InvalidRequest, UnsupportedField) as problem:
        return problem
    return None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["type", "session", "audio", "input", "format", "rate", "transcription", "turn_detection", "event_id", "include"]
)
TYPES = st.sampled_from(
    [
        "session.update",
        "transcription_session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "transcription",
        "server_vad",
        "semantic_vad",
        "audio/pcm",
    ]
)
LIKELY = st.recursive(
    JSON | TYPES,
    lambda inner: st.dictionaries(NAMES, inner, max_size=4).flatmap(
        lambda made: st.builds(lambda kind: {**made, "type": kind}, TYPES)
    ),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(event=LIKELY | JSON)
def test_whatever_comes_is_understood_or_refused_in_a_sentence(event: object) -> None:
    text = json.dumps(event)
    problem = refusal(text)
    assert problem is None or str(problem)
    assert problem is None or len(problem.param or "") <= 128
    event_id_of(text)


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=200))
def test_whatever_is_no_json_is_refused(text: str) -> None:
    with pytest.raises((InvalidRequest, UnsupportedField)):
        parse_event(text)
