"""A session is what was asked for last, field by field, in both forms."""

from typing import Any, Final

import pytest

from whisper_inference.errors import InvalidRequest
from whisper_inference.realtime.sessions import OldSession, Session, SessionIdentity, describe, describe_old
from whisper_inference.realtime.understanding import asked_by, with_model

IDENTITY: Final = SessionIdentity(id="sess_1", expires_at=1)


def update(**given: Any) -> Session:  # noqa: ANN401 - fields of the input
    return Session.model_validate({"audio": {"input": given}})


def test_an_update_changes_what_it_names_and_nothing_else() -> None:
    session = Session().merged(update(transcription={"model": "demo", "language": "en"}))
    session = session.merged(update(turn_detection={"type": "server_vad", "silence_duration_ms": 900}))
    session = session.merged(update(transcription={"prompt": "Pumps."}))
    transcription, vad = session.input.transcription, session.input.turn_detection
    assert (transcription.model, transcription.language, transcription.prompt) == ("demo", "en", "Pumps.")
    assert vad is not None
    assert (vad.silence_duration_ms, vad.threshold) == (900, 0.5)
    assert session.merged(update(turn_detection=None)).input.turn_detection is None
    assert session.merged(update(turn_detection=None)).input.transcription == transcription


def test_another_format_does_not_inherit_the_rate() -> None:
    session = Session().merged(update(format={"type": "audio/pcm", "rate": 16_000}))
    assert asked_by(session).audio.sample_rate == 16_000
    session = session.merged(update(format={"type": "audio/pcma"}))
    assert (asked_by(session).audio.encoding, asked_by(session).audio.sample_rate) == ("pcm_alaw", 8_000)
    assert "rate" not in describe(session, IDENTITY)["audio"]["input"]["format"]


def test_wishes_reach_the_stream() -> None:
    session = update(
        transcription={"language": "english", "prompt": "Pumps.", "delay": "xhigh"},
        turn_detection={"type": "server_vad", "threshold": 0.1, "prefix_padding_ms": 100, "silence_duration_ms": 250},
    )
    options = asked_by(session).options
    assert (options.transcription.language, options.transcription.prompt) == ("en", "Pumps.")
    assert options.agreement == 4
    assert (options.voice.threshold, options.voice.release) == (0.1, 0.01)
    assert (options.pre_roll, options.endpoint_silence) == (0.1, 0.25)
    assert not options.transcription.logprobs
    asked = Session().merged(Session.model_validate({"include": ["item.input_audio_transcription.logprobs"]}))
    assert asked_by(asked).options.transcription.logprobs


def test_a_language_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        asked_by(update(transcription={"language": "klingon"}))
    assert refused.value.param == "language"


def test_the_whole_session_is_shown_without_what_can_only_be_absent() -> None:
    shown = describe(with_model(Session(), "demo"), IDENTITY)
    assert shown == {
        "id": "sess_1",
        "object": "realtime.transcription_session",
        "expires_at": 1,
        "type": "transcription",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24_000},
                "noise_reduction": None,
                "transcription": {"model": "demo", "language": None, "prompt": None, "delay": None},
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 500,
                },
            }
        },
        "include": None,
    }


def test_the_older_form_says_the_same() -> None:
    old = OldSession.model_validate(
        {
            "input_audio_format": "g711_ulaw",
            "input_audio_transcription": {"model": "demo", "language": "de"},
            "turn_detection": {"type": "server_vad", "threshold": 0.7},
            "include": ["item.input_audio_transcription.logprobs"],
            "modalities": ["text"],
        }
    )
    new = update(
        format={"type": "audio/pcmu"},
        transcription={"model": "demo", "language": "de"},
        turn_detection={"type": "server_vad", "threshold": 0.7},
    ).merged(Session.model_validate({"include": ["item.input_audio_transcription.logprobs"]}))
    assert asked_by(Session().merged(old.as_update())) == asked_by(Session().merged(new))
    shown = describe_old(Session().merged(old.as_update()), IDENTITY)
    assert shown["input_audio_format"] == "g711_ulaw"
    assert shown["input_audio_transcription"] == {"model": "demo", "language": "de", "prompt": None}


def test_an_older_update_that_names_nothing_changes_nothing() -> None:
    session = update(turn_detection=None, format={"type": "audio/pcma"})
    assert session.merged(OldSession().as_update()) == session
