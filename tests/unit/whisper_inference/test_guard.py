"""What nobody said is withheld with a reason; what people do say, stays."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.checkpoints import CLIPS, read_clips
from whisper_inference.guard import is_loop, withhold_invented
from whisper_inference.transcription import DropReason, Seconds, Segment, TranscriptionOptions

OPTIONS = TranscriptionOptions()
EVERYWHERE = ((0.0, 1000.0),)

SAID = [
    "no no no",
    "No, no, no, no, no!",
    "5 5 5",
    "call 555 5555 now",
    "bye bye bye bye",
    "ha ha ha ha ha ha",
    "hahahahahaha",
    "very, very, very, very good",
    "one two three four five six seven eight nine ten",
    "はいはいはい",
    "哈哈哈哈哈哈",
    "",
    " ",
]
LOOPS = [
    "thank you " * 10,
    "Thank you. " * 5,
    "I'm going to go to the " * 4,
    "so so so so so so so so so",
    "and then we went home. " * 6,
    "ありがとう" * 12,
    "谢谢观看" * 12,
    "a" * 60,
]


def segment(text: str = " hello there", start: Seconds = 0.0, end: Seconds = 2.0) -> Segment:
    """Return a segment that the model was sure of."""
    return Segment(0, 0, start, end, text, (), 0.0, -0.2, 1.2, 0.01)


def reasons(*segments: Segment, speech: tuple[tuple[Seconds, Seconds], ...] = EVERYWHERE) -> list[DropReason]:
    """Return why segments are withheld."""
    return [dropped.reason for dropped in withhold_invented(segments, speech, OPTIONS)[1]]


@pytest.mark.parametrize("text", SAID)
def test_what_people_say_is_no_loop(text: str) -> None:
    assert not is_loop(text)


@pytest.mark.parametrize("text", [clip.text for clip in read_clips(CLIPS)])
def test_no_sentence_of_the_recordings_is_a_loop(text: str) -> None:
    assert not is_loop(text)


@pytest.mark.parametrize("text", LOOPS)
def test_a_loop_of_words_or_characters_is_found(text: str) -> None:
    assert is_loop(text)
    assert is_loop(f"We met at the harbour and {text}")
    assert reasons(segment(text)) == [DropReason.REPETITION]


def test_what_was_heard_and_was_sure_stays() -> None:
    said = segment()
    assert withhold_invented([said], EVERYWHERE, OPTIONS) == ((said,), ())


def test_text_where_nobody_speaks_is_withheld() -> None:
    speech = ((0.0, 3.0), (10.0, 12.0))
    assert reasons(segment(start=4.0, end=9.0), speech=speech) == [DropReason.NO_VOICE]
    assert reasons(segment(start=2.0, end=9.0), speech=speech) == []
    assert reasons(segment(), speech=()) == [DropReason.NO_VOICE]


def test_a_segment_shorter_than_the_least_overlap_may_still_be_heard() -> None:
    assert reasons(segment(start=1.0, end=1.04)) == []
    assert reasons(segment(start=1.0, end=1.04), speech=((2.0, 3.0),)) == [DropReason.NO_VOICE]


def test_the_models_own_doubt_is_believed_only_with_low_confidence() -> None:
    doubtful = replace(segment(), no_speech_prob=0.9)
    assert reasons(doubtful) == []
    assert reasons(replace(doubtful, avg_logprob=-1.5)) == [DropReason.NO_SPEECH]


def test_low_confidence_and_high_compression_are_withheld() -> None:
    assert reasons(replace(segment(), avg_logprob=-1.5)) == [DropReason.LOW_LOGPROB]
    assert reasons(replace(segment(), compression_ratio=2.5)) == [DropReason.COMPRESSION_RATIO]


def test_a_threshold_that_is_off_withholds_nothing() -> None:
    off = replace(OPTIONS, compression_ratio_threshold=None, logprob_threshold=None, no_speech_threshold=None)
    worst = replace(segment(), avg_logprob=-9.0, compression_ratio=9.0, no_speech_prob=1.0)
    assert withhold_invented([worst], EVERYWHERE, off) == ((worst,), ())


def test_a_loop_across_segments_keeps_the_first_of_them() -> None:
    loop = [segment(" Thanks for watching.", float(index), index + 1.0) for index in range(4)]
    kept, dropped = withhold_invented([segment(" Hello."), *loop, segment(" Goodbye.")], EVERYWHERE, OPTIONS)
    assert [one.text for one in kept] == [" Hello.", " Thanks for watching.", " Goodbye."]
    assert [(one.reason, one.start) for one in dropped] == [(DropReason.REPETITION, start) for start in (1.0, 2.0, 3.0)]


def test_a_sentence_said_twice_and_short_answers_stay() -> None:
    assert reasons(*[segment(" I do not know.")] * 2) == []
    assert reasons(*[segment(" No.")] * 6) == []
    assert reasons(*[segment(" Five five.")] * 6) == []


def test_without_the_guard_everything_stays() -> None:
    worst = replace(segment("thank you " * 20), avg_logprob=-9.0)
    assert withhold_invented([worst], (), replace(OPTIONS, guard=False)) == ((worst,), ())


segments = st.builds(
    segment,
    st.text(st.sampled_from("ab .谢"), max_size=60),
    st.floats(0, 10),
    st.floats(10, 20),
)
spans = st.lists(st.tuples(st.floats(0, 20), st.floats(0, 20)).map(lambda edges: (min(edges), max(edges))), max_size=3)


@given(st.lists(segments, max_size=6), spans.map(tuple))
def test_each_segment_either_stays_or_is_withheld(
    heard: list[Segment], speech: tuple[tuple[Seconds, Seconds], ...]
) -> None:
    kept, dropped = withhold_invented(heard, speech, OPTIONS)
    texts = [one.text for one in heard]
    assert sorted(texts) == sorted([one.text for one in kept] + [one.text for one in dropped])
    left = iter(heard)
    assert all(one in left for one in kept), "in order"


@given(st.lists(segments, max_size=6))
def test_what_stays_would_stay_again(heard: list[Segment]) -> None:
    kept, _ = withhold_invented(heard, EVERYWHERE, OPTIONS)
    if all(before.text.strip().lower() != after.text.strip().lower() for before, after in pairwise(kept)):
        assert withhold_invented(kept, EVERYWHERE, OPTIONS) == (kept, ())


@given(st.text(st.characters(categories=["L"]), min_size=1, max_size=12), st.text(max_size=20))
def test_any_word_again_and_again_is_a_loop(word: str, before: str) -> None:
    assert is_loop(f"{before} {f'{word} ' * 60}")


@given(st.lists(st.text("abcdefgh", min_size=2), unique=True, max_size=30))
def test_words_that_are_all_different_are_no_loop_of_words(words: list[str]) -> None:
    compact = "".join(words)
    if len(compact) < 40:  # below the span of a loop of characters
        assert not is_loop(" ".join(words))


def test_a_sentence_that_repeats_over_the_border_of_windows_is_withheld() -> None:
    again = segment(" Thanks for watching this.")
    assert withhold_invented([again], EVERYWHERE, OPTIONS)[0] == (again,)
    assert withhold_invented([again], EVERYWHERE, OPTIONS, [again])[0] == (again,)
    kept, dropped = withhold_invented([again, segment(" And now.")], EVERYWHERE, OPTIONS, [again, again])
    assert [each.text for each in kept] == [" And now."]
    assert [each.reason for each in dropped] == [DropReason.REPETITION]
