"""Words: which marks belong to which, and what becomes of times that cannot be."""

import itertools
from dataclasses import replace

import pytest

from tests.support.drive import run
from tests.support.speech import Line, sound, speaking_engine, speaking_model
from whisper_inference.decoding.window import decode_window
from whisper_inference.decoding.windows import WindowInput, WindowTranscript
from whisper_inference.decoding.words import TimedWord, merge_punctuation
from whisper_inference.transcription import TranscriptionOptions

MODEL = speaking_model()
OPTIONS = TranscriptionOptions(language="en", temperatures=(0.0,), word_timestamps=True)


def transcribe(lines: list[Line], seconds: float, options: TranscriptionOptions = OPTIONS) -> WindowTranscript:
    """What is heard in a window whose cross-attention walks evenly through 30 s."""
    audio = sound(seconds)
    window = WindowInput(audio.window(0, audio.frames), 0, audio.frames, "en")
    return run(decode_window(window, MODEL, options), speaking_engine({0: lines}), window.log_mel)


def word(text: str, *tokens: int) -> TimedWord:
    """A word whose time does not matter."""
    return TimedWord(text, tokens, 1.0, 2.0, 0.9)


def merged(*words: TimedWord) -> list[tuple[str, tuple[int, ...]]]:
    """Texts and tokens after merging."""
    return [(each.text, each.tokens) for each in merge_punctuation(words)]


def test_words_are_those_of_the_text_in_order() -> None:
    segments = transcribe([(0.0, " One two.", 14.0), (15.0, " Three four.", 30.0)], 30.0).segments
    assert [[each.text for each in segment.words] for segment in segments] == [[" One", " two."], [" Three", " four."]]
    words = [each for segment in segments for each in segment.words]
    assert all(0 <= each.start <= each.end <= 30 and 0 < each.probability <= 1 for each in words)
    assert all(first.end <= second.start for first, second in itertools.pairwise(words))


def test_a_segment_begins_and_ends_with_its_words() -> None:
    segment = transcribe([(0.0, " One two three.", 29.0)], 30.0).segments[0]
    assert (segment.start, segment.end) == (segment.words[0].start, segment.words[-1].end)


def test_without_timestamps_words_have_theirs() -> None:
    lines: list[Line] = [(0.0, " One two three.", 29.0)]
    segment = transcribe(lines, 30.0, replace(OPTIONS, timestamps=False)).segments[0]
    assert [each.text for each in segment.words] == [" One", " two", " three."]


@pytest.mark.parametrize("seconds", [0.01, 0.02, 0.03])
def test_a_last_window_of_almost_nothing_has_no_time_for_words(seconds: float) -> None:
    transcript = transcribe([(0.0, " One.", 1.0)], seconds)
    assert transcript.segments == ()
    assert transcript.next_seek == round(seconds * 100)


def test_closing_marks_belong_to_the_word_before() -> None:
    assert merged(word(" Yes", 1), word(",", 2), word("”", 3), word(" no", 4)) == [(" Yes,”", (1, 2, 3)), (" no", (4,))]


def test_opening_marks_belong_to_the_word_after() -> None:
    assert merged(word(" said", 1), word(' "', 2), word("No", 3), word('."', 4)) == [
        (" said", (1,)),
        (' "No', (2, 3)),
        ('."', (4,)),
    ]


def test_a_mark_in_front_of_everything_belongs_to_the_first_word() -> None:
    assert merged(word(" (", 1), word("a", 2), word(")", 3)) == [(" (a)", (1, 2, 3))]
