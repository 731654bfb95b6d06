"""Windows over scripted speech: segments, seeking, silence, fallback, languages; and files of many windows."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.drive import run, run_windows
from tests.support.speech import sound, speaking_engine, speaking_model
from whisper_inference.decoding.alignment import token_starts
from whisper_inference.decoding.attempts import Attempt, compression_ratio
from whisper_inference.decoding.hypotheses import Hypothesis
from whisper_inference.decoding.long_form import batched, initial_prompt, pack_spans, sequential
from whisper_inference.decoding.window import decode_window
from whisper_inference.decoding.windows import WindowInput
from whisper_inference.transcription import TranscriptionOptions

MODEL = speaking_model()
GREEDY = TranscriptionOptions(language="en", temperatures=(0.0,))


def window(seconds: float = 30.0, language: str | None = "en") -> WindowInput:
    """The first window of a sound."""
    audio = sound(seconds)
    return WindowInput(audio.window(0, audio.frames), 0, audio.frames, language)


def test_segments_carry_text_times_and_scores() -> None:
    engine = speaking_engine({0: [(0.5, " One.", 2.0), (2.5, " Two.", 4.0)]})
    transcript = run(decode_window(window(5.0), MODEL, GREEDY), engine, window(5.0).log_mel)
    assert [(segment.id, segment.start, segment.end, segment.text) for segment in transcript.segments] == [
        (0, 0.5, 2.0, " One."),
        (1, 2.5, 4.0, " Two."),
    ]
    assert all(segment.avg_logprob <= 0 and segment.compression_ratio > 0 for segment in transcript.segments)
    assert transcript.next_seek == 500


def test_log_probabilities_belong_to_text_tokens_alone() -> None:
    engine = speaking_engine({0: [(0.0, " One two.", 2.0)]})
    options = replace(GREEDY, logprobs=True)
    segment = run(decode_window(window(5.0), MODEL, options), engine, window(5.0).log_mel).segments[0]
    assert "".join(token.text for token in segment.logprobs) == " One two."


def test_the_language_is_detected_when_none_is_given() -> None:
    engine = speaking_engine({0: [(0.0, " Ja.", 1.0)]}, language="de")
    transcript = run(decode_window(window(5.0, None), MODEL, GREEDY), engine, window(5.0).log_mel)
    assert transcript.language == "de"


def test_long_audio_is_followed_window_by_window() -> None:
    engine = speaking_engine(
        {0: [(1.0, " First.", 29.0)], 2900: [(0.0, " Second.", 4.0)], 3000: [(0.0, " Second.", 4.0)]}
    )
    transcripts = run_windows(sequential(sound(40.0), MODEL, GREEDY), lambda w: decode_window(w, MODEL, GREEDY), engine)
    assert "".join(segment.text for each in transcripts for segment in each.segments) == " First. Second."


def test_text_before_a_window_is_its_prompt_unless_it_is_not_wanted() -> None:
    engine = speaking_engine({0: [(1.0, " First.", 29.0)]})
    for wanted in (True, False):
        options = replace(GREEDY, condition_on_previous_text=wanted)
        windows = sequential(sound(70.0), MODEL, options)
        first = next(windows)
        second = windows.send(run(decode_window(first, MODEL, options), engine, first.log_mel))
        assert first.prompt_tokens == ()
        assert bool(second.prompt_tokens) == wanted


def test_a_prompt_of_the_request_comes_first() -> None:
    options = replace(GREEDY, prompt="  Names. ")
    assert MODEL.tokenizer.decode(initial_prompt(MODEL, options)) == " Names."
    assert next(sequential(sound(5.0), MODEL, options)).prompt_tokens == tuple(initial_prompt(MODEL, options))
    assert initial_prompt(MODEL, replace(GREEDY, prompt="   ")) == []


def attempt(**figures: float) -> Attempt:
    """An attempt with the given figures and no doubts otherwise."""
    chosen = {"avg_logprob": -0.2, "no_speech_prob": 0.0, "compression_ratio": 1.0} | figures
    hypothesis = Hypothesis([1, 2, 3], [], chosen.pop("avg_logprob") * 4)
    return Attempt(hypothesis, "text", 0.0, chosen["no_speech_prob"], chosen["compression_ratio"])


@pytest.mark.parametrize(
    ("figures", "passes", "silence"),
    [
        ({}, True, False),
        ({"compression_ratio": 2.5}, False, False),
        ({"avg_logprob": -1.1}, False, False),
        ({"avg_logprob": -1.1, "no_speech_prob": 0.7}, True, True),
        ({"no_speech_prob": 0.7}, True, False),
    ],
)
def test_attempts_are_judged_as_openai_whisper_does(figures: dict[str, float], passes: bool, silence: bool) -> None:  # noqa: FBT001 - a table
    assert attempt(**figures).passes(GREEDY) is passes
    assert attempt(**figures).is_silence(GREEDY) is silence


def test_without_thresholds_everything_passes() -> None:
    options = replace(GREEDY, compression_ratio_threshold=None, logprob_threshold=None, no_speech_threshold=None)
    assert attempt(avg_logprob=-9, no_speech_prob=1.0, compression_ratio=9).passes(options)
    assert not attempt(avg_logprob=-9, no_speech_prob=1.0).is_silence(options)


def test_loops_compress_better_than_speech() -> None:
    assert compression_ratio("and so " * 40) > 2.4 > compression_ratio("The plane to Dallas will leave at one thirty.")


@given(
    st.lists(st.tuples(st.floats(0.0, 5.0), st.floats(0.01, 45.0)), max_size=20),
    st.integers(0, 40_000),
)
def test_packed_spans_keep_all_speech_in_windows_that_fit(gaps: list[tuple[float, float]], frames: int) -> None:
    spans, at = [], 0.0
    for gap, length in gaps:
        spans.append((at + gap, at + gap + length))
        at += gap + length
    packed = pack_spans(spans, frames)
    assert all(0 < stop - first <= 3000 and stop <= frames for first, stop in packed)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(packed))
    for start, end in spans:
        middle = round((start + end) * 50)
        if end * 100 < frames:
            assert any(first <= middle <= stop for first, stop in packed)


def test_batched_windows_begin_where_somebody_speaks() -> None:
    windows = list(batched(sound(100.0), [(2.0, 5.0), (50.0, 60.0)], MODEL, GREEDY))
    assert [(each.seek, each.frames) for each in windows] == [(200, 300), (5000, 1000)]
    assert all(each.log_mel.shape[1] == 3000 for each in windows)


@given(st.integers(1, 12), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_tokens_begin_in_order_within_the_audio(tokens: int, positions: int, seed: int) -> None:
    ridge = np.random.default_rng(seed).standard_normal((tokens, positions)).astype(np.float32)
    starts = token_starts(ridge)
    assert len(starts) == tokens
    assert (np.diff(starts) >= 0).all()
    assert starts[0] == 0
    assert starts[-1] < positions


def test_the_warped_path_follows_a_clear_ridge() -> None:
    ridge = np.zeros((4, 20), dtype=np.float32)
    for token, (start, stop) in enumerate([(0, 5), (5, 11), (11, 17), (17, 20)]):
        ridge[token, start:stop] = 1
    assert token_starts(ridge) == pytest.approx([0, 5, 11, 17], abs=1)
