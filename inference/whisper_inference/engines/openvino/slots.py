"""The host's memory of a running decoder batch: what each row attends to, and which row lives where.

A slot holds the cross-attention keys and values of a window and the past of at most one row. A window takes its slot
when it is encoded, and the encoder writes there, so that its first row costs no copy.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whisper_inference.engines.base import RowId, WindowId
from whisper_inference.engines.openvino.layers import HEAD_WIDTH
from whisper_inference.models.dimensions import ModelDimensions

CAPACITY_STEP = 64
"""The past grows by so many positions at a time: each growth copies it once, each position more is read each step."""


@dataclass(slots=True)
class Slot:
    """Who lives in a slot."""

    window: WindowId
    row: RowId | None = None
    length: int = 0
    """Positions of the row's past."""


class Slots:
    """Slots side by side in one batch, so that the first `n` of them are a batch of `n` without a copy."""

    def __init__(self, dimensions: ModelDimensions, dtype: np.dtype[Any], *, fixed_capacity: int | None = None) -> None:
        heads, audio, layers = dimensions.text_heads, dimensions.audio_context, dimensions.text_layers
        self._most_positions = dimensions.text_context
        self.cross_keys = [np.zeros((0, heads, HEAD_WIDTH, audio), dtype) for _ in range(layers)]
        self.cross_values = [np.zeros((0, heads, audio, HEAD_WIDTH), dtype) for _ in range(layers)]
        # Zeroed, because a masked position still counts as zero times what is there, and that may not be a NaN.
        self.past = np.zeros((layers, 2, 0, heads, fixed_capacity or CAPACITY_STEP, HEAD_WIDTH), dtype)
        """`[layers, keys and values, slots, heads, capacity, 64]`."""
        self.occupants: list[Slot | None] = []

    @property
    def capacity(self) -> int:
        """Positions of past that every slot has room for."""
        return int(self.past.shape[4])

    def take(self, window: WindowId) -> int:
        """Give a window the first free slot."""
        index = next((index for index, slot in enumerate(self.occupants) if slot is None), len(self.occupants))
        if index == len(self.occupants):
            self._add_slots(max(1, index))
        self.occupants[index] = Slot(window)
        return index

    def of_window(self, window: WindowId) -> Iterator[tuple[int, Slot]]:
        """Yield the slots that hold a window."""
        return ((index, slot) for index, slot in enumerate(self.occupants) if slot and slot.window == window)

    def of_row(self, row: RowId) -> tuple[int, Slot]:
        """Find a row.

        Raises:
            KeyError: It does not live.
        """
        for index, slot in enumerate(self.occupants):
            if slot and slot.row == row:
                return index, slot
        raise KeyError(f"row {row} does not live")

    def leave(self, index: int) -> None:
        """Free a slot, or keep it for its window if no other holds that."""
        slot = self.occupants[index]
        if slot is None:
            return
        alone = sum(1 for _ in self.of_window(slot.window)) == 1
        self.occupants[index] = Slot(slot.window) if alone else None

    def free(self, indices: Iterable[int]) -> None:
        """Free slots whose windows are forgotten."""
        for index in indices:
            self.occupants[index] = None

    def copy_window(self, source: int, target: int) -> None:
        """Let a slot hear what another does."""
        for arrays in (self.cross_keys, self.cross_values):
            for array in arrays:
                array[target] = array[source]

    def copy_past(self, source: int, target: int, length: int) -> None:
        """Let a slot remember what another does."""
        self.past[:, :, target, :, :length] = self.past[:, :, source, :, :length]

    def bring_forward(self, indices: Iterable[int], count: int) -> None:
        """Move slots about until the given ones, `count` of them, are the first."""
        chosen = set(indices)
        late = sorted(index for index in chosen if index >= count)
        for place in range(count):
            if place not in chosen:
                self._swap(place, late.pop())

    def make_room(self, positions: int) -> None:
        """Grow every slot's past to hold so many positions."""
        if positions <= self.capacity:
            return
        steps = -(-positions // CAPACITY_STEP)
        layers, two, slots, heads, before, width = self.past.shape
        grown = np.zeros(
            (layers, two, slots, heads, min(steps * CAPACITY_STEP, self._most_positions), width), self.past.dtype
        )
        grown[..., :before, :] = self.past
        self.past = grown

    def _swap(self, empty_or_idle: int, late: int) -> None:
        first, second = self.occupants[empty_or_idle], self.occupants[late]
        arrays: list[NDArray[Any]] = [
            *self.cross_keys,
            *self.cross_values,
            *self.past.reshape(-1, *self.past.shape[2:]),
        ]
        for array in arrays:
            kept = array[empty_or_idle].copy() if first else None
            array[empty_or_idle] = array[late]
            if kept is not None:
                array[late] = kept
        self.occupants[empty_or_idle], self.occupants[late] = second, first

    def _add_slots(self, count: int) -> None:
        self.cross_keys = [_longer(array, count, 0) for array in self.cross_keys]
        self.cross_values = [_longer(array, count, 0) for array in self.cross_values]
        self.past = _longer(self.past, count, 2)
        self.occupants += [None] * count


def _longer(array: NDArray[Any], count: int, axis: int) -> NDArray[Any]:
    shape = list(array.shape)
    shape[axis] += count
    longer = np.zeros(shape, array.dtype)
    longer[tuple(slice(length) for length in array.shape)] = array
    return longer
