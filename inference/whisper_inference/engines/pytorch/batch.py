"""The memory of a running batch on the device: preallocated, so that a captured step finds everything where it was."""

import torch
from torch import Tensor

from whisper_inference.engines.pytorch.layers import HEAD_WIDTH
from whisper_inference.models.dimensions import ModelDimensions

CAPACITY_BUCKET = 128
"""Self-attention reads its past in buckets of so many positions: few shapes, little waste."""


class Batch:
    """Caches for a fixed number of rows, and the inputs of a step."""

    def __init__(self, dimensions: ModelDimensions, rows: int, device: torch.device, dtype: torch.dtype) -> None:
        layers, heads = dimensions.text_layers, dimensions.text_heads
        self.context = dimensions.text_context
        self.cross = torch.zeros(
            layers, 2, rows, heads, dimensions.audio_context, HEAD_WIDTH, device=device, dtype=dtype
        )
        """`[layers, keys and values, rows, heads, audio_context, 64]`."""
        # Zeroed, because a masked position still counts as zero times what is there, and that may not be a NaN.
        self.past = torch.zeros(layers, 2, rows, heads, self.context, HEAD_WIDTH, device=device, dtype=dtype)
        """`[layers, keys and values, rows, heads, text_context, 64]`."""
        self.tokens = torch.zeros(rows, dtype=torch.long, device=device)
        self.lengths = torch.zeros(rows, dtype=torch.long, device=device)

    def capacity_for(self, positions: int) -> int:
        """Return the bucket that holds so many positions."""
        return min(self.context, -(-positions // CAPACITY_BUCKET) * CAPACITY_BUCKET)

    def set_inputs(self, tokens: list[int], lengths: list[int]) -> None:
        """Write every row's input where a captured step reads it."""
        self.tokens.copy_(torch.tensor(tokens))
        self.lengths.copy_(torch.tensor([min(length, self.context - 1) for length in lengths]))

    def copy_row(self, source: int, target: int, *, window: bool) -> None:
        """Copy a row's past, and what it hears if that differs."""
        self.past[:, :, target] = self.past[:, :, source]
        if window:
            self.cross[:, :, target] = self.cross[:, :, source]

    def swap_rows(self, first: int, second: int) -> None:
        """Let two rows change places."""
        for memory in (self.past, self.cross):
            kept = memory[:, :, first].clone()
            memory[:, :, first] = memory[:, :, second]
            memory[:, :, second] = kept

    def hear(self, row: int, cross: Tensor) -> None:
        """Let a row listen to a window."""
        self.cross[:, :, row] = cross
