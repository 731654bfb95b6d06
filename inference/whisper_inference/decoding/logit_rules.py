"""What may be written next: Whisper's rules on logits, applied in place before a search chooses.

The rules are those of openai-whisper's `decoding.py` (`SuppressBlank`, `SuppressTokens`, `ApplyTimestampRules`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from whisper_inference.arrays import FloatArray
from whisper_inference.decoding.windows import DecodingModel

MAX_INITIAL_TIMESTAMP = 50
"""In timestamp tokens: speech begins within the first second of a window, or it was cut into wrongly."""

_NEVER = -np.inf


class LogitRules:
    """The rules for one window: with timestamps or without."""

    def __init__(self, model: DecodingModel, *, timestamps: bool) -> None:
        tokenizer = model.tokenizer
        self._timestamps = timestamps
        self._end_of_text = tokenizer.end_of_text
        self._begin = tokenizer.timestamp_begin
        never = {*model.suppressed_tokens, tokenizer.no_timestamps} if timestamps else set(model.suppressed_tokens)
        self._never: NDArray[np.int64] = np.array(sorted(never), dtype=np.int64)
        self._blank = np.array([*tokenizer.encode(" "), tokenizer.end_of_text], dtype=np.int64)

    def apply(self, logits: FloatArray, written: Sequence[Sequence[int]]) -> None:
        """Set what must not follow to minus infinity.

        Args:
            logits: `[rows, vocabulary]`, changed in place.
            written: What each row has written after the prompt.
        """
        logits[:, self._never] = _NEVER
        for row, tokens in zip(logits, written, strict=True):
            if not tokens:
                row[self._blank] = _NEVER
            if self._timestamps:
                self._apply_timestamp_rules(row, tokens)

    def _apply_timestamp_rules(self, row: FloatArray, tokens: Sequence[int]) -> None:
        begin = self._begin
        if not tokens:
            row[:begin] = _NEVER
            row[begin + MAX_INITIAL_TIMESTAMP + 1 :] = _NEVER
            return
        after_timestamp = tokens[-1] >= begin
        pair_complete = len(tokens) == 1 or tokens[-2] >= begin
        if after_timestamp and pair_complete:
            row[begin:] = _NEVER
        elif after_timestamp:
            row[: self._end_of_text] = _NEVER
        self._keep_times_in_order(row, tokens, may_repeat=after_timestamp and not pair_complete)
        self._prefer_timestamps(row)

    def _keep_times_in_order(self, row: FloatArray, tokens: Sequence[int], *, may_repeat: bool) -> None:
        last = next((token for token in reversed(tokens) if token >= self._begin), None)
        if last is not None:
            row[self._begin : last + (0 if may_repeat else 1)] = _NEVER

    def _prefer_timestamps(self, row: FloatArray) -> None:
        """Write a timestamp when all of them together are likelier than any one text token."""
        times = row[self._begin :]
        highest = times.max()
        if highest == _NEVER:
            return
        together = highest + np.log(np.exp(times - highest).sum())
        text = row[: self._begin]
        if together > text.max():
            text[:] = _NEVER


def log_normalisers(logits: FloatArray) -> FloatArray:
    """Return the logarithm of each row's sum of exponentials: `[rows]` for `[rows, vocabulary]`."""
    scratch = np.empty(logits.shape[1], dtype=np.float32)  # one row stays in the cache, where a copy of all would not
    normalisers = np.empty(len(logits), dtype=np.float32)
    for index, row in enumerate(logits):
        highest = row.max()
        np.exp(np.subtract(row, highest, out=scratch), out=scratch)
        normalisers[index] = highest + np.log(scratch.sum())
    return normalisers
