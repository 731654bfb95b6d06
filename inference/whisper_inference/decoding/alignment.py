"""Dynamic time warping of tokens onto audio, from cross-attention scores.

The attention of some decoder heads follows the audio; normalised, smoothed and averaged, its ridge says when each
token was said. As openai-whisper's `timing.py`; Giorgino 2009 for the warping.

This runs on the engine's thread, where every other request waits for it: hence the vectors.
"""

import numpy as np
from numpy.typing import NDArray

from whisper_inference.arrays import FloatArray

_MEDIAN_WIDTH = 7
"""Encoder positions (20 ms) over which attention is smoothed."""

_MEDIAN_EXCHANGES = (
    *((0, 5), (0, 3), (1, 6), (2, 4), (0, 1), (3, 5), (2, 6)),
    *((2, 3), (3, 6), (4, 5), (1, 4), (1, 3), (3, 4)),
)
"""Put the smaller of each pair first, and the fourth of seven values is their median (Devillard 1998)."""

_TOKENS_AT_ONCE = 16
"""Rows that are smoothed together: seven shifted copies of them fit into a core's cache."""

_DIAGONAL, _NEXT_TOKEN, _NEXT_POSITION = 0, 1, 2


def attention_ridge(scores: FloatArray, positions: int) -> FloatArray:
    """Turn attention scores into one map of tokens over time.

    Args:
        scores: `[heads, tokens, audio_context]`, before the softmax.
        positions: Encoder positions that hold audio, at least 1; those after are padding.

    Returns:
        `[tokens, positions]`; high where a token was said.
    """
    ridge = np.zeros((scores.shape[1], positions), dtype=np.float32)
    for head in scores:
        ridge += smooth(_standardised_attention(head[:, :positions]))
    ridge /= len(scores)
    return ridge


def _standardised_attention(scores: FloatArray) -> FloatArray:
    """Return each token's attention over time, against that of the other tokens at the same time."""
    weights: FloatArray = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    deviation = weights.std(axis=0)
    weights -= weights.mean(axis=0)
    weights /= np.where(deviation == 0, 1, deviation)
    return weights


def smooth(values: FloatArray) -> FloatArray:
    """Take the running median of seven along each row, mirrored at both ends; rows of up to three stay as they are."""
    positions, reach = values.shape[1], _MEDIAN_WIDTH // 2
    if positions <= reach:
        return values
    padded = np.pad(values, ((0, 0), (reach, reach)), mode="reflect")
    medians = np.empty_like(values)
    for first in range(0, len(values), _TOKENS_AT_ONCE):
        rows = padded[first : first + _TOKENS_AT_ONCE]
        shifted = [rows[:, shift : shift + positions] for shift in range(_MEDIAN_WIDTH)]
        for low, high in _MEDIAN_EXCHANGES:
            pair = shifted[low], shifted[high]
            shifted[low], shifted[high] = np.minimum(*pair), np.maximum(*pair)
        medians[first : first + _TOKENS_AT_ONCE] = shifted[reach]
    return medians


def token_starts(ridge: FloatArray) -> NDArray[np.int64]:
    """Return the position at which each token begins on the best path through the map.

    Args:
        ridge: `[tokens, positions]`.

    Returns:
        `[tokens]`, never falling.
    """
    tokens, positions = _best_path(-ridge.astype(np.float64))
    jumps = np.diff(tokens, prepend=-1) > 0
    return positions[jumps]


def _best_path(cost: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    steps = _cheapest_steps(cost)
    token, position = cost.shape[0] - 1, cost.shape[1] - 1
    path = [(token, position)]
    while token or position:
        step = steps[token, position]
        token, position = token - (step != _NEXT_POSITION), position - (step != _NEXT_TOKEN)
        path.append((token, position))
    tokens, positions = np.array(path[::-1], dtype=np.int64).T
    return tokens, positions


def _cheapest_steps(cost: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return the step by which the cheapest path enters each cell; of equals, the one that stays at its token.

    A path enters a row from the row before, once, and then runs along it. So a cell's total is the running sum of
    its row plus the least, over all entries up to it, of what the entry cost less the sum before it: a cumulative
    minimum, where the textbook has a loop over cells.
    """
    steps = np.full(cost.shape, _NEXT_POSITION, dtype=np.int8)
    steps[1:, 0] = _NEXT_TOKEN
    from_token = cost[0].cumsum()
    for row, entered_by in zip(cost[1:], steps[1:], strict=True):
        from_diagonal = _shifted(from_token)
        along = row.cumsum()
        total = along + np.minimum.accumulate(np.minimum(from_token, from_diagonal) - (along - row))
        from_position = _shifted(total)
        entered_by[(from_token < from_diagonal) & (from_token < from_position)] = _NEXT_TOKEN
        entered_by[(from_diagonal < from_token) & (from_diagonal < from_position)] = _DIAGONAL
        from_token = total
    return steps


def _shifted(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the totals one position earlier; there is nothing before the first."""
    return np.concatenate(([np.inf], totals[:-1]))
