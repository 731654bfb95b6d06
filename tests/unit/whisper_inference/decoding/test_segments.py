"""Cutting a window's tokens at its timestamps, and where the next window begins."""

import itertools
from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support.speech import speaking_model
from whisper_inference.decoding.attempts import Attempt
from whisper_inference.decoding.hypotheses import Hypothesis
from whisper_inference.decoding.segments import Cut, cut_into_segments, without_empty
from whisper_inference.decoding.windows import WindowInput
from whisper_inference.transcription import TranscriptionOptions

MODEL = speaking_model()
BEGIN = MODEL.tokenizer.timestamp_begin
TEXT = 1000
SEEK = 1000


def at(seconds: float) -> int:
    """A timestamp token."""
    return BEGIN + round(seconds * 50)


def cut(tokens: list[int], *, seconds: float = 30.0, heard_once: bool = False) -> Cut:
    """Cut what was written for a window that begins 10 s into its audio."""
    attempt = Attempt(Hypothesis(tokens, [-0.1] * len(tokens), -1.0), "text", 0.0, 0.0, 1.0)
    log_mel = np.zeros((2, 3000), dtype=np.float32)
    window = WindowInput(log_mel, SEEK, round(seconds * 100), "en", heard_once=heard_once)
    return cut_into_segments(attempt, window, MODEL, TranscriptionOptions())


def times(result: Cut) -> list[tuple[float, float]]:
    """Start and end of each segment."""
    return [(segment.start, segment.end) for segment in result.segments]


def test_a_closed_text_is_one_segment_and_the_window_is_done() -> None:
    result = cut([at(0.5), TEXT, at(2.0)], seconds=8)
    assert times(result) == [(10.0, 12.0)]
    assert result.next_seek == SEEK + 800


def test_text_without_a_closing_time_lasts_until_the_window_does() -> None:
    assert times(cut([at(0.0), TEXT], seconds=8)) == [(10.0, 18.0)]
    assert times(cut([TEXT], seconds=8)) == [(10.0, 18.0)]


def test_two_times_in_a_row_part_two_segments() -> None:
    result = cut([at(0.5), TEXT, at(2.0), at(2.5), TEXT, at(4.0)])
    assert times(result) == [(10.5, 12.0), (12.5, 14.0)]
    assert result.complete


def test_an_unfinished_end_is_left_to_the_next_window() -> None:
    result = cut([at(0.0), TEXT, at(2.0), at(2.0), TEXT])
    assert times(result) == [(10.0, 12.0)]
    assert result.next_seek == SEEK + 200


def test_an_unfinished_end_is_kept_where_no_window_hears_it_again() -> None:
    result = cut([at(0.0), TEXT, at(2.0), at(2.4), TEXT, TEXT + 1], heard_once=True, seconds=8)
    assert np.allclose(times(result), [(10.0, 12.0), (12.4, 18.0)])
    assert result.segments[1].tokens == (at(2.4), TEXT, TEXT + 1)


def test_a_time_alone_at_the_end_is_no_segment() -> None:
    result = cut([at(0.0), TEXT, at(2.0), at(2.0)], heard_once=True, seconds=8)
    assert [segment.tokens for segment in without_empty(result.segments)] == [(at(0.0), TEXT, at(2.0))]


def test_an_end_that_begins_in_the_padding_lasts_no_negative_time() -> None:
    result = cut([at(0.0), TEXT, at(9.0), at(9.0), TEXT], heard_once=True, seconds=8)
    assert all(start <= end for start, end in times(result))


def test_segments_without_text_or_time_are_left_out_and_the_others_counted_on() -> None:
    blank = MODEL.tokenizer.encode(" ")[0]
    result = cut([at(0.0), blank, at(1.0), at(1.0), TEXT, at(1.0), at(1.0), TEXT, at(2.0)])
    kept = without_empty(result.segments)
    assert [(segment.id, segment.start, segment.end) for segment in kept] == [(0, 11.0, 12.0)]


@dataclass(frozen=True)
class Phrase:
    """Steps of 0.02 s before it and during it, and how many tokens it has."""

    gap: int
    length: int
    words: int


PHRASES = st.lists(st.builds(Phrase, st.integers(0, 90), st.integers(1, 150), st.integers(1, 4)), max_size=6)


@given(phrases=PHRASES, opened=st.booleans(), closed=st.booleans(), heard_once=st.booleans())
def test_whatever_is_written_segments_follow_each_other_and_the_audio_goes_on(
    *, phrases: list[Phrase], opened: bool, closed: bool, heard_once: bool
) -> None:
    tokens, now = [], 0
    for phrase in phrases:
        tokens += [BEGIN + now + phrase.gap, *[TEXT] * phrase.words, BEGIN + now + phrase.gap + phrase.length]
        now += phrase.gap + phrase.length
    if opened:
        tokens += [BEGIN + now, TEXT, *([BEGIN + now + 5] if closed else [])]
    result = cut(tokens, heard_once=heard_once)
    written = [token for segment in result.segments for token in segment.tokens]
    assert written == tokens[: len(written)]
    assert SEEK < result.next_seek <= SEEK + 3000
    if heard_once or result.next_seek == SEEK + 3000:
        assert written == tokens
    assert all(segment.start <= segment.end for segment in result.segments)
    assert all(first.end <= second.start for first, second in itertools.pairwise(result.segments))
