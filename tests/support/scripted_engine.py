"""An engine without a model: the Engine protocol in plain Python, deterministic, and strict about every rule of it."""

import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from whisper_inference.arrays import FloatArray
from whisper_inference.engines.base import Capabilities, RowId, WindowId
from whisper_inference.models.dimensions import ModelDimensions

Call: TypeAlias = Literal["encode", "release", "start", "step", "copy_rows", "finish", "align", "close"]

Script: TypeAlias = Callable[[int, tuple[int, ...]], FloatArray]
"""Logits `[vocabulary]` of a window's key (see `window_key`) and the tokens of a row so far."""

SMALL_DIMENSIONS = ModelDimensions(
    mel_bins=2,
    audio_context=1500,
    audio_width=4,
    audio_heads=1,
    audio_layers=1,
    vocabulary=32,
    text_context=448,
    text_width=4,
    text_heads=1,
    text_layers=1,
)
"""For tests of batching, where neither the vocabulary nor the audio means anything."""


class ProtocolBroken(AssertionError):
    """The caller broke a rule of the Engine protocol."""


class Row(NamedTuple):
    """A decoder row: the window it listens to and its tokens so far."""

    window: WindowId
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One decoder step, as it was asked for."""

    rows: tuple[RowId, ...]
    tokens: tuple[int, ...]


def window_key(log_mel: FloatArray) -> int:
    """The number by which a script knows a window's content."""
    return zlib.crc32(np.ascontiguousarray(log_mel).tobytes())


def numbered_window(number: int, dimensions: ModelDimensions = SMALL_DIMENSIONS) -> FloatArray:
    """A window whose content, and so whose key, depends on the number alone."""
    return np.full((dimensions.mel_bins, 3000), number, dtype=np.float32)


def scattered_logits(vocabulary: int) -> Script:
    """Logits that look random and depend on nothing but the window and the row's own tokens."""

    def logits(key: int, tokens: tuple[int, ...]) -> FloatArray:
        seed = zlib.crc32(np.asarray(tokens, dtype=np.int64).tobytes(), key)
        return np.random.default_rng(seed).standard_normal(vocabulary, dtype=np.float32)

    return logits


class ScriptedEngine:
    """Keeps windows and rows with their histories; what it answers comes from the script."""

    def __init__(
        self,
        *,
        dimensions: ModelDimensions = SMALL_DIMENSIONS,
        max_rows: int = 8,
        script: Script | None = None,
        word_timestamps: bool = True,
        key_of: Callable[[FloatArray], int] = window_key,
        before: Callable[[Call], None] | None = None,
    ) -> None:
        self._dimensions = dimensions
        self._capabilities = Capabilities(
            engine="pytorch",
            device="cpu",
            device_name="script",
            precision="f32",
            simulated=False,
            max_rows=max_rows,
            word_timestamps=word_timestamps,
        )
        self._key_of = key_of
        self._script = script or scattered_logits(dimensions.vocabulary)
        self.before = before
        """Called first in every call with its name, on the caller's thread: it may block, sleep or raise."""
        self.windows: dict[WindowId, int] = {}
        """The keys of the live windows."""
        self.rows: dict[RowId, Row] = {}
        """The live rows."""
        self.encoded: list[int] = []
        """The keys of all windows ever encoded, in order."""
        self.steps: list[Step] = []
        """All steps, in order."""
        self.copies: int = 0
        """Rows copied by `copy_rows`."""
        self.most_rows = 0
        self.closed = False
        self._numbers = 0
        self._thread: int | None = None
        self._last_answer: FloatArray | None = None

    @property
    def batch_sizes(self) -> list[int]:
        """How many rows each step had."""
        return [len(step.rows) for step in self.steps]

    @property
    def capabilities(self) -> Capabilities:
        """What the constructor was told."""
        return self._capabilities

    @property
    def dimensions(self) -> ModelDimensions:
        """What the constructor was told."""
        return self._dimensions

    def encode(self, log_mel: FloatArray) -> WindowId:
        """Remember the window's key."""
        self._enter("encode")
        _require(log_mel.shape == (self._dimensions.mel_bins, 3000), f"log-mel of shape {log_mel.shape}")
        _require(log_mel.dtype == np.float32, f"log-mel of {log_mel.dtype}")
        window = WindowId(self._next_number())
        self.windows[window] = self._key_of(log_mel)
        self.encoded.append(self.windows[window])
        return window

    def release(self, window: WindowId) -> None:
        """Forget the window and its rows."""
        self._enter("release")
        self._require_window(window)
        del self.windows[window]
        self.rows = {row: kept for row, kept in self.rows.items() if kept.window != window}

    def start(
        self, window: WindowId, tokens: Sequence[int], rows: int, logits_at: Sequence[int]
    ) -> tuple[list[RowId], FloatArray]:
        """Begin rows with the given tokens."""
        self._enter("start")
        self._require_window(window)
        _require(rows >= 1, f"{rows} rows")
        _require(len(self.rows) + rows <= self._capabilities.max_rows, "more rows than the batch holds")
        _require(1 <= len(tokens) <= self._dimensions.text_context, f"{len(tokens)} tokens")
        _require(all(0 <= at < len(tokens) for at in logits_at), f"logits wanted at {logits_at}")
        self._require_tokens(tokens)
        begun = [RowId(self._next_number()) for _ in range(rows)]
        self.rows.update(dict.fromkeys(begun, Row(window, tuple(tokens))))
        self.most_rows = max(self.most_rows, len(self.rows))
        key = self.windows[window]
        return begun, self._answer([self._script(key, tuple(tokens[: at + 1])) for at in logits_at])

    def step(self, rows: Sequence[RowId], tokens: Sequence[int]) -> FloatArray:
        """Append a token to each row."""
        self._enter("step")
        _require(0 < len(rows) == len(tokens), f"{len(rows)} rows and {len(tokens)} tokens")
        _require(len(set(rows)) == len(rows), "a row twice in one step")
        self._require_rows(rows)
        self._require_tokens(tokens)
        self.steps.append(Step(tuple(rows), tuple(tokens)))
        answers = []
        for row, token in zip(rows, tokens, strict=True):
            window, history = self.rows[row]
            _require(len(history) < self._dimensions.text_context, "a row longer than the text context")
            self.rows[row] = Row(window, (*history, token))
            answers.append(self._script(self.windows[window], self.rows[row].tokens))
        return self._answer(answers)

    def copy_rows(self, sources: Sequence[RowId], targets: Sequence[RowId]) -> None:
        """Copy histories."""
        self._enter("copy_rows")
        _require(len(sources) == len(targets), "as many sources as targets")
        _require(len(set(targets)) == len(targets), "a target twice")
        _require(not set(sources) & set(targets), "a row is source and target")
        self._require_rows([*sources, *targets])
        for source, target in zip(sources, targets, strict=True):
            _require(self.rows[source].window == self.rows[target].window, "rows of two windows")
            self.rows[target] = self.rows[source]
        self.copies += len(targets)

    def finish(self, rows: Sequence[RowId]) -> None:
        """Forget the rows."""
        self._enter("finish")
        _require(len(set(rows)) == len(rows), "a row finished twice")
        self._require_rows(rows)
        for row in rows:
            del self.rows[row]

    def align(self, window: WindowId, tokens: Sequence[int]) -> FloatArray:
        """Scores `[1, tokens, audio_context]` that walk evenly through the window."""
        self._enter("align")
        self._require_window(window)
        _require(self._capabilities.word_timestamps, "this engine cannot align")
        self._require_tokens(tokens)
        context = self._dimensions.audio_context
        positions = np.linspace(0, context - 1, num=len(tokens), dtype=np.float32)[:, None]
        scores = -np.abs(positions - np.arange(context, dtype=np.float32)[None, :])
        aligned: FloatArray = scores[None].astype(np.float32)
        return aligned

    def close(self) -> None:
        """Refuse everything from now on."""
        self.closed = True

    def _enter(self, call: Call) -> None:
        if self._thread is None:
            self._thread = threading.get_ident()
        _require(self._thread == threading.get_ident(), "driven by two threads")
        _require(not self.closed, "used after close")
        if self._last_answer is not None:
            # Whoever kept the last answer instead of copying it must notice.
            self._last_answer.fill(np.nan)
        if self.before is not None:
            self.before(call)

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _answer(self, logits: list[FloatArray]) -> FloatArray:
        answer = np.empty((len(logits), self._dimensions.vocabulary), dtype=np.float32)
        for index, row in enumerate(logits):
            answer[index] = row
        self._last_answer = answer
        return answer

    def _require_window(self, window: WindowId) -> None:
        _require(window in self.windows, f"window {window} is unknown or released")

    def _require_rows(self, rows: Sequence[RowId]) -> None:
        unknown = [row for row in rows if row not in self.rows]
        _require(not unknown, f"rows {unknown} are unknown or finished")

    def _require_tokens(self, tokens: Sequence[int]) -> None:
        _require(all(0 <= token < self._dimensions.vocabulary for token in tokens), f"tokens {tuple(tokens)}")


def _require(holds: bool, rule: str) -> None:  # noqa: FBT001 - reads as an assertion at each of its many uses
    if not holds:
        raise ProtocolBroken(rule)
