"""The rules on logits, one by one, on Whisper's own vocabulary."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.support.speech import speaking_model
from whisper_inference.decoding.logit_rules import MAX_INITIAL_TIMESTAMP, LogitRules, log_normalisers
from whisper_inference.decoding.windows import DecodingModel

MODEL = speaking_model()
BEGIN = MODEL.tokenizer.timestamp_begin
END = MODEL.tokenizer.end_of_text
VOCABULARY = MODEL.dimensions.vocabulary
TEXT = 1000


def allowed(
    written: list[int], *, timestamps: bool = True, likely: dict[int, float] | None = None
) -> NDArray[np.bool_]:
    """Which tokens may follow, when all logits are equal but the given ones."""
    logits = np.zeros((1, VOCABULARY), dtype=np.float32)
    for token, logit in (likely or {}).items():
        logits[0, token] = logit
    LogitRules(MODEL, timestamps=timestamps).apply(logits, [written])
    return np.asarray(np.isfinite(logits[0]))


def test_a_text_begins_with_a_timestamp_within_the_first_second() -> None:
    may = allowed([])
    assert not may[:BEGIN].any()
    assert may[BEGIN : BEGIN + MAX_INITIAL_TIMESTAMP + 1].all()
    assert not may[BEGIN + MAX_INITIAL_TIMESTAMP + 1 :].any()


def test_without_timestamps_a_text_begins_with_neither_a_blank_nor_its_end() -> None:
    may = allowed([], timestamps=False)
    assert not may[END]
    assert not may[MODEL.tokenizer.encode(" ")].any()
    assert may[TEXT]


def test_after_the_first_timestamp_comes_text() -> None:
    may = allowed([BEGIN + 3])
    assert may[TEXT]
    assert not may[BEGIN:].any()


def test_after_text_and_a_timestamp_comes_its_pair_or_the_end() -> None:
    may = allowed([BEGIN, TEXT, BEGIN + 40], likely={END: 50.0})
    assert not may[:END].any()
    assert may[END]
    assert not may[BEGIN : BEGIN + 40].any()
    assert may[BEGIN + 40]


def test_times_never_go_back_nor_stand_still_after_text() -> None:
    may = allowed([BEGIN, TEXT, BEGIN + 40, BEGIN + 40, TEXT], likely={TEXT: 50.0})
    assert not may[BEGIN : BEGIN + 41].any()
    assert may[BEGIN + 41]


def test_a_timestamp_is_written_when_all_of_them_together_outweigh_any_text() -> None:
    assert not allowed([BEGIN, TEXT])[:BEGIN].any()
    assert allowed([BEGIN, TEXT], likely={TEXT: 50.0})[TEXT]


def test_suppressed_tokens_and_the_no_timestamps_mark_never_appear() -> None:
    model = DecodingModel(MODEL.dimensions, MODEL.tokenizer, (TEXT, 7))
    logits = np.zeros((2, VOCABULARY), dtype=np.float32)
    LogitRules(model, timestamps=True).apply(logits, [[BEGIN, 5], [BEGIN, 6]])
    assert np.isinf(logits[:, [TEXT, 7, model.tokenizer.no_timestamps]]).all()


@given(st.lists(st.integers(0, VOCABULARY - 1), max_size=12), st.integers(0, 2**32 - 1))
def test_whatever_was_written_something_may_follow(written: list[int], seed: int) -> None:
    logits = np.random.default_rng(seed).standard_normal((1, VOCABULARY), dtype=np.float32)
    LogitRules(MODEL, timestamps=True).apply(logits, [written])
    assert np.isfinite(logits).any()


def test_normalisers_are_the_logarithm_of_the_sum_of_exponentials() -> None:
    logits = np.array([[0.0, 0.0, -np.inf], [1000.0, 999.0, -5.0]], dtype=np.float32)
    assert log_normalisers(logits) == pytest.approx([np.log(2), 1000 + np.log1p(np.exp(-1))], rel=1e-6)
