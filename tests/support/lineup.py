"""The engines that tests hold against the reference, and how far each may be from it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np

from whisper_inference.arrays import FloatArray
from whisper_inference.engines.base import Engine, RowId, WindowId
from whisper_inference.engines.openvino import OpenVinoEngine, OpenVinoSettings
from whisper_inference.engines.pytorch import PyTorchEngine, PyTorchSettings
from whisper_inference.models.checkpoint import Checkpoint

MAX_ROWS = 8


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far logits or alignment scores may be off, as parts of the reference's standard deviation."""

    mean: float
    worst: float


EXACT: Final = Tolerance(mean=1e-5, worst=5e-4)
"""Sums in another order."""
ROUNDED: Final = Tolerance(mean=0.03, worst=2.0)
"""Eight bits of significand: single logits of tokens that nobody considers are off by more."""
INTEGER: Final = Tolerance(mean=0.1, worst=2.5)
"""Eight bits of weight and, where the processor multiplies integers (VNNI), of activation: at most 0.07 in 600 rows,
where the row of the token before is off by 0.23 on average."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """An engine, by name."""

    name: str
    load: Callable[[Checkpoint], Engine]
    tolerance: Tolerance


LINEUP: Final = (
    Contestant(
        "openvino-cpu-f32",
        lambda checkpoint: OpenVinoEngine(checkpoint, OpenVinoSettings(precision="f32", max_rows=MAX_ROWS)),
        EXACT,
    ),
    Contestant(
        "openvino-npu-simulated-f32",
        lambda checkpoint: OpenVinoEngine(
            checkpoint, OpenVinoSettings("npu", precision="f32", max_rows=MAX_ROWS, npu_plugin="CPU")
        ),
        EXACT,
    ),
    Contestant(
        "pytorch-cpu-f32",
        lambda checkpoint: PyTorchEngine(checkpoint, PyTorchSettings(precision="f32", max_rows=MAX_ROWS)),
        EXACT,
    ),
    Contestant(
        "openvino-cpu-int8",
        lambda checkpoint: OpenVinoEngine(checkpoint, OpenVinoSettings(precision="int8", max_rows=MAX_ROWS)),
        INTEGER,
    ),
    Contestant(
        "pytorch-cpu-bf16",
        lambda checkpoint: PyTorchEngine(checkpoint, PyTorchSettings(precision="bf16", max_rows=MAX_ROWS)),
        ROUNDED,
    ),
)


def load(name: str, checkpoint: Checkpoint) -> Engine:
    """Load an engine by its name."""
    return next(contestant for contestant in LINEUP if contestant.name == name).load(checkpoint)


@dataclass(frozen=True, slots=True)
class Pair:
    """An engine beside the reference."""

    engine: Engine
    reference: Engine
    tolerance: Tolerance

    def require_close(self, found: FloatArray, wanted: FloatArray) -> None:
        """Fail unless the engine's answer is the reference's, within its tolerance."""
        assert found.shape == wanted.shape
        assert found.dtype == np.float32
        difference = found - wanted
        # The same added to every logit changes no probability; integer activations add a fifth of the deviation.
        error = np.abs(difference - difference.mean(axis=-1, keepdims=True)) / wanted.std()
        assert error.mean() <= self.tolerance.mean
        assert error.max() <= self.tolerance.worst

    @contextmanager
    def window(self, log_mel: FloatArray) -> Iterator["TwinWindow"]:
        """Encode with both; forget the window afterwards, whatever happens."""
        twin = TwinWindow(self, self.engine.encode(log_mel), self.reference.encode(log_mel))
        try:
            yield twin
        finally:
            self.engine.release(twin.window)
            self.reference.release(twin.expected)

    def step(self, rows: "Sequence[TwinRow]", tokens: Sequence[int]) -> None:
        """Step with both and compare the logits."""
        found = self.engine.step([row.row for row in rows], tokens)
        self.require_close(found, self.reference.step([row.expected for row in rows], tokens))

    def copy_rows(self, sources: "Sequence[TwinRow]", targets: "Sequence[TwinRow]") -> None:
        """Copy rows in both."""
        self.engine.copy_rows([row.row for row in sources], [row.row for row in targets])
        self.reference.copy_rows([row.expected for row in sources], [row.expected for row in targets])

    def finish(self, rows: "Sequence[TwinRow]") -> None:
        """Finish rows in both."""
        self.engine.finish([row.row for row in rows])
        self.reference.finish([row.expected for row in rows])


@dataclass(frozen=True, slots=True)
class TwinRow:
    """The same row in the engine and in the reference."""

    row: RowId
    expected: RowId


@dataclass(frozen=True, slots=True)
class TwinWindow:
    """The same window in the engine and in the reference."""

    pair: Pair
    window: WindowId
    expected: WindowId

    def start(self, tokens: Sequence[int], rows: int, logits_at: Sequence[int]) -> list[TwinRow]:
        """Start rows with both and compare the logits."""
        started, found = self.pair.engine.start(self.window, tokens, rows, logits_at)
        expected, wanted = self.pair.reference.start(self.expected, tokens, rows, logits_at)
        self.pair.require_close(found, wanted)
        return [TwinRow(*twins) for twins in zip(started, expected, strict=True)]

    def align(self, tokens: Sequence[int]) -> None:
        """Align with both and compare the scores."""
        found = self.pair.engine.align(self.window, tokens)
        self.pair.require_close(found, self.pair.reference.align(self.expected, tokens))
