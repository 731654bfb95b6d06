"""Transcripts as text, subtitles, JSON and events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisper_inference.formats import (
    build_delta,
    build_done,
    build_json,
    build_segment_event,
    build_verbose_json,
    render_srt,
    render_text,
    render_vtt,
)
from whisper_inference.transcription import Dropped, DropReason, Segment, TokenLogprob, Transcript, Word


def segment(number: int, start: float, end: float, text: str) -> Segment:
    """A segment whose scores do not matter."""
    words = (Word(text, start, end, 0.9),)
    logprobs = (TokenLogprob(7, text, -0.25),)
    return Segment(number, 0, start, end, text, (1, 2), 0.0, -0.2, 1.1, 0.01, words, logprobs)


TRANSCRIPT = Transcript(
    task="transcribe",
    language="en",
    duration=3725.2,
    segments=(segment(0, 0.0, 1.5, " Hello <there> & you."), segment(1, 3661.0, 3725.1999, " Good --> bye.")),
    dropped=(Dropped(DropReason.NO_VOICE, 5.0, 6.0, " Thanks for watching."),),
)


def test_text_is_joined_and_stripped() -> None:
    assert render_text(TRANSCRIPT) == "Hello <there> & you. Good --> bye.\n"


def test_subrip_numbers_its_cues_and_uses_commas() -> None:
    assert render_srt(TRANSCRIPT) == (
        "1\n00:00:00,000 --> 00:00:01,500\nHello <there> & you.\n\n2\n01:01:01,000 --> 01:02:05,200\nGood -> bye.\n"
    )


def test_webvtt_escapes_what_would_be_markup() -> None:
    assert render_vtt(TRANSCRIPT) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello &lt;there> &amp; you.\n\n"
        "01:01:01.000 --> 01:02:05.200\nGood -> bye.\n"
    )


def test_json_holds_text_and_usage_and_logprobs_on_demand() -> None:
    assert build_json(TRANSCRIPT) == {"text": TRANSCRIPT.text, "usage": {"type": "duration", "seconds": 3726}}
    logprobs = build_json(TRANSCRIPT, logprobs=True)["logprobs"]
    assert logprobs[1] == {"token": " Good --> bye.", "logprob": -0.25, "bytes": list(b" Good --> bye.")}


def test_verbose_json_has_all_ten_fields_of_a_segment_and_says_what_was_withheld() -> None:
    body = build_verbose_json(TRANSCRIPT, "english", words=True)
    fields = "id seek start end text tokens temperature avg_logprob compression_ratio no_speech_prob"
    assert set(body["segments"][0]) == {*fields.split()}
    assert body["words"][0] == {"word": "Hello <there> & you.", "start": 0.0, "end": 1.5}
    assert body["guard"]["dropped"] == [
        {"reason": "no_voice", "start": 5.0, "end": 6.0, "text": " Thanks for watching."}
    ]
    assert "segments" not in build_verbose_json(TRANSCRIPT, "english", segments=False)


@given(st.lists(st.text(), max_size=6))
def test_deltas_join_to_the_final_text(texts: list[str]) -> None:
    segments = tuple(segment(index, index, index + 1, f" {text}") for index, text in enumerate(texts))
    transcript = Transcript("transcribe", "en", 9.0, segments)
    deltas = [build_delta(each, first=index == 0)["delta"] for index, each in enumerate(segments)]
    assert "".join(deltas).strip() == build_done(transcript)["text"]


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_cue_never_ends_before_it_begins(start: float, end: float) -> None:
    cue = render_srt(Transcript("transcribe", "en", 1.0, (segment(0, start, end, " x"),))).splitlines()[1]
    first, last = cue.split(" --> ")
    assert first <= last or len(first) != len(last)


def test_segment_events_have_times() -> None:
    event = build_segment_event(TRANSCRIPT.segments[0])
    assert (event["type"], event["start"], event["end"]) == ("transcript.text.segment", 0.0, 1.5)


def test_an_empty_transcript_is_a_valid_file() -> None:
    empty = Transcript("transcribe", "en", 0.0, ())
    assert (render_srt(empty), render_vtt(empty), render_text(empty)) == ("", "WEBVTT\n", "\n")


@pytest.mark.parametrize("seconds", [0.2, 1.0])
def test_usage_counts_begun_seconds(seconds: float) -> None:
    assert build_json(Transcript("transcribe", "en", seconds, ()))["usage"]["seconds"] == 1
