"""Warping tokens onto audio, against the textbook's loops."""

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st

from whisper_inference.arrays import FloatArray
from whisper_inference.decoding.alignment import attention_ridge, smooth, token_starts


def random_map(tokens: int, positions: int, seed: int) -> FloatArray:
    """A map without ties."""
    return np.random.default_rng(seed).standard_normal((tokens, positions), dtype=np.float32)


def starts_by_loops(ridge: FloatArray) -> list[int]:
    """Dynamic time warping, cell by cell."""
    tokens, positions = ridge.shape
    best = np.full((tokens + 1, positions + 1), np.inf)
    best[0, 0] = 0
    for token in range(tokens):
        for position in range(positions):
            before = min(best[token, position], best[token, position + 1], best[token + 1, position])
            best[token + 1, position + 1] = before - ridge[token, position]
    starts = [0] * tokens
    token, position = tokens - 1, positions - 1
    while token or position:
        starts[token] = position
        ways = {
            (token - 1, position - 1): best[token, position],
            (token - 1, position): best[token, position + 1],
            (token, position - 1): best[token + 1, position],
        }
        token, position = min(ways, key=lambda way: ways[way])
    starts[0] = 0
    return starts


@given(st.integers(1, 9), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_tokens_begin_where_the_textbook_s_path_enters_them(tokens: int, positions: int, seed: int) -> None:
    ridge = random_map(tokens, positions, seed)
    assert token_starts(ridge).tolist() == starts_by_loops(ridge)


@given(st.integers(1, 40), st.integers(4, 60), st.integers(0, 2**32 - 1))
def test_smoothing_is_a_running_median_mirrored_at_its_ends(tokens: int, positions: int, seed: int) -> None:
    values = random_map(tokens, positions, seed)
    expected = scipy.ndimage.median_filter(values, size=(1, 7), mode="mirror")
    assert np.array_equal(smooth(values), expected)


@pytest.mark.parametrize("positions", [1, 2, 3])
def test_rows_too_short_to_mirror_are_left_alone(positions: int) -> None:
    values = random_map(4, positions, 0)
    assert np.array_equal(smooth(values), values)


def test_padding_takes_no_part_in_the_ridge() -> None:
    scores = np.random.default_rng(0).standard_normal((3, 5, 40), dtype=np.float32)
    louder = scores.copy()
    louder[:, :, 25:] = 100
    assert attention_ridge(louder, 25) == pytest.approx(attention_ridge(scores, 25))


def test_attention_that_never_moves_gives_a_flat_ridge() -> None:
    assert not attention_ridge(np.ones((2, 4, 30), dtype=np.float32), 30).any()
