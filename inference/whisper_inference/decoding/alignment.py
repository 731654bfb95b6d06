"""Dynamic time warping of tokens onto audio, from cross-attention scores.

The attention of some decoder heads follows the audio; normalised, smoothed and averaged, its ridge says when each
token was said. As openai-whisper's `timing.py`; Giorgino 2009 for the warping.
"""

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from whisper_inference.arrays import FloatArray

_MEDIAN_WIDTH = 7
"""Encoder positions (20 ms) over which attention is smoothed."""

_DIAGONAL, _NEXT_TOKEN, _NEXT_POSITION = 0, 1, 2


def attention_ridge(scores: FloatArray, positions: int) -> FloatArray:
    """Turn attention scores into one map of tokens over time.

    Args:
        scores: `[heads, tokens, audio_context]`, before the softmax.
        positions: Encoder positions that hold audio; those after are padding.

    Returns:
        `[tokens, positions]`; high where a token was said.
    """
    scores = scores[:, :, :positions]
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    deviation = weights.std(axis=1, keepdims=True)
    weights = (weights - weights.mean(axis=1, keepdims=True)) / np.where(deviation == 0, 1, deviation)
    smooth = scipy.ndimage.median_filter(weights, size=(1, 1, _MEDIAN_WIDTH), mode="mirror")
    return np.asarray(smooth.mean(axis=0), dtype=np.float32)


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
    steps = _accumulate(cost)
    token, position = cost.shape[0] - 1, cost.shape[1] - 1
    path = [(token, position)]
    while token or position:
        step = steps[token, position]
        token, position = token - (step != _NEXT_POSITION), position - (step != _NEXT_TOKEN)
        path.append((token, position))
    tokens, positions = np.array(path[::-1], dtype=np.int64).T
    return tokens, positions


def _accumulate(cost: NDArray[np.float64]) -> NDArray[np.int8]:
    """Fill the cost table one anti-diagonal at a time: the cells of one do not depend on each other."""
    rows, columns = cost.shape
    steps = np.zeros((rows, columns), dtype=np.int8)
    steps[0, :], steps[:, 0] = _NEXT_POSITION, _NEXT_TOKEN
    before_last = np.full(rows + 1, np.inf)  # by row, shifted by one so that row -1 is infinitely dear
    last = np.full(rows + 1, np.inf)
    for diagonal in range(rows + columns - 1):
        row = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        current = np.full(rows + 1, np.inf)
        from_diagonal, from_token, from_position = before_last[row], last[row], last[row + 1]
        step = np.where(
            (from_diagonal < from_token) & (from_diagonal < from_position),
            _DIAGONAL,
            np.where((from_token < from_diagonal) & (from_token < from_position), _NEXT_TOKEN, _NEXT_POSITION),
        )
        best = np.choose(step, (from_diagonal, from_token, from_position))
        current[row + 1] = cost[row, diagonal - row] + (best if diagonal else 0.0)
        inner = (row > 0) & (row < diagonal)
        steps[row[inner], diagonal - row[inner]] = step[inner]
        before_last, last = last, current
    return steps
