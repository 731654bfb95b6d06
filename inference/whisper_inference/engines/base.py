"""The seam between decoding and a device: encode windows, step rows of a running decoder batch.

An engine owns windows (encoded audio) and rows (decoder histories) and names them by number. Rows of different
requests are at different positions, and join and leave between any two steps (continuous batching). An engine is
driven by one thread; it locks nothing. Decoding rules do not live here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NewType, Protocol, TypeAlias

from whisper_inference.arrays import FloatArray
from whisper_inference.models.dimensions import ModelDimensions

WindowId = NewType("WindowId", int)
RowId = NewType("RowId", int)

Device: TypeAlias = Literal["npu", "gpu", "cpu"]
EngineName: TypeAlias = Literal["openvino", "pytorch"]
Precision: TypeAlias = Literal["f32", "bf16", "f16", "int8"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine is and can do, as it is published at `/v1/models`."""

    engine: EngineName
    device: Device
    device_name: str
    """The device's own full name, for example `AMD EPYC` or `NVIDIA H100`."""
    precision: Precision
    """What it really computes in, read back from the device."""
    simulated: bool
    """The NPU's graphs run on another device: for tests only."""
    max_rows: int
    """Rows that one decoder batch holds: also the widest beam and the largest `best_of`."""
    word_timestamps: bool


class Engine(Protocol):
    """A loaded model on a device."""

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do."""
        ...

    @property
    def dimensions(self) -> ModelDimensions:
        """The shape of the loaded model."""
        ...

    def encode(self, log_mel: FloatArray) -> WindowId:
        """Encode one window and keep what decoders need of it, until `release`.

        Args:
            log_mel: `[mel_bins, 3000]` float32, as `audio.features.log_mel_spectrogram` makes it.
        """
        ...

    def release(self, window: WindowId) -> None:
        """Forget a window and finish every row that listens to it."""
        ...

    def start(
        self, window: WindowId, tokens: Sequence[int], rows: int, logits_at: Sequence[int]
    ) -> tuple[list[RowId], FloatArray]:
        """Begin `rows` decoders with the same first tokens (at most the text context).

        Returns:
            The new rows, and the logits `[len(logits_at), vocabulary]` after the tokens at those positions.
            The caller keeps the sum of live rows within `capabilities.max_rows`.
        """
        ...

    def step(self, rows: Sequence[RowId], tokens: Sequence[int]) -> FloatArray:
        """Append one token to each of the rows; return the logits `[len(rows), vocabulary]` that follow.

        The returned array is the caller's to change, and may be overwritten by the next call.
        """
        ...

    def copy_rows(self, sources: Sequence[RowId], targets: Sequence[RowId]) -> None:
        """Let each target continue from its source's history. No row is both; all listen to one window."""
        ...

    def finish(self, rows: Sequence[RowId]) -> None:
        """Free the rows."""
        ...

    def align(self, window: WindowId, tokens: Sequence[int]) -> FloatArray:
        """Cross-attention scores of the alignment heads for the given tokens, before the softmax.

        Returns:
            `[alignment_heads, len(tokens), audio_context]`, for word timestamps.
        """
        ...

    def close(self) -> None:
        """Free the device."""
        ...
