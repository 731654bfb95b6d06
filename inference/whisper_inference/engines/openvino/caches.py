"""The host's memory of a running batch: what every window sounds like, and what every row has said."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from whisper_inference.engines.base import RowId, WindowId
from whisper_inference.engines.openvino.shapes import CAPACITY_STEP, past_capacity
from whisper_inference.engines.openvino.slots import Slots
from whisper_inference.models.dimensions import ModelDimensions

CacheArray: TypeAlias = NDArray[Any]
"""In the compute type; bf16, which numpy has not, as its bits in 16-bit integers."""

_Views: TypeAlias = dict[tuple[int, int], list[CacheArray]]


class WindowCache:
    """Cross-attention keys and values; windows side by side, so that neighbours are a batch without a copy.

    Memory is reserved for as many windows as there may be rows, and used by those that were ever held.
    """

    def __init__(self, dimensions: ModelDimensions, dtype: np.dtype[Any], windows: int) -> None:
        heads, audio = dimensions.text_heads, dimensions.audio_context
        width = dimensions.text_width // heads
        shapes = [(windows, heads, width, audio), (windows, heads, audio, width)] * dimensions.text_layers
        self.arrays: list[CacheArray] = [np.zeros(shape, dtype) for shape in shapes]
        """Keys `[windows, heads, head width, audio_context]` and values with the last two exchanged, layer by layer."""
        self.slots: Slots[WindowId] = Slots(windows)
        self._views: _Views = {}

    def take(self, window: WindowId) -> list[CacheArray]:
        """Give a window its place; the encoder writes there."""
        place = self.slots.take(window)
        if place >= len(self.arrays[0]):
            self.arrays = [longer(array, 2 * place, 0) for array in self.arrays]
            self._views = {}
        return self.views(place, 1)

    def views(self, first: int, count: int) -> list[CacheArray]:
        """Return neighbouring windows without a copy: the same list as long as it is the same memory."""
        if (first, count) not in self._views:
            self._views[first, count] = [array[first : first + count] for array in self.arrays]
        return self._views[first, count]

    def move(self, source: int, target: int, exchange: bool) -> None:  # noqa: FBT001 - called by `Slots.arrange`
        """Move a window's contents."""
        for array in self.arrays:
            _move(array, source, target, exchange=exchange)


class PastCache:
    """Self-attention keys and values of every row, up to a capacity that follows the longest one."""

    def __init__(
        self, dimensions: ModelDimensions, dtype: np.dtype[Any], rows: int, capacity: int | None = None
    ) -> None:
        heads, layers = dimensions.text_heads, dimensions.text_layers
        self._fixed = capacity is not None
        self._most = dimensions.text_context
        shape = (layers, 2, rows, heads, capacity or CAPACITY_STEP, dimensions.text_width // heads)
        # Zeroed, because a masked position still counts as zero times what is there, and that may not be a NaN.
        self.array: CacheArray = np.zeros(shape, dtype)
        """`[layers, keys and values, rows, heads, capacity, head width]`."""
        self.slots: Slots[RowId] = Slots(rows)
        self._views: _Views = {}
        self.lengths: dict[RowId, int] = {}
        """Positions that each row remembers."""

    @property
    def capacity(self) -> int:
        """Positions that every row has room for."""
        return int(self.array.shape[4])

    def take(self, row: RowId, new: list[CacheArray]) -> None:
        """Give a row its place and its first keys and values, `[1, heads, tokens, head width]` layer by layer."""
        tokens = new[0].shape[2]
        self.make_room(tokens)
        place = self.slots.take(row)
        self.reserve(place + 1)
        for index, part in enumerate(new):
            self.array[index // 2, index % 2, place, :, :tokens] = part[0]
        self.lengths[row] = tokens

    def append(self, rows: Sequence[RowId], new: list[CacheArray], seats: Sequence[int]) -> None:
        """Write one position more of each row: those at `seats` of `[seats, heads, 1, head width]`, layer by layer."""
        places = [self.slots.place_of(row) for row in rows]
        lengths = [self.lengths[row] for row in rows]
        for index, part in enumerate(new):
            self.array[index // 2, index % 2, places, :, lengths] = part[seats, :, 0]
        for row in rows:
            self.lengths[row] += 1

    def copy(self, source: RowId, target: RowId) -> None:
        """Let a row remember what another does."""
        length = self.lengths[target] = self.lengths[source]
        of_source, of_target = self.slots.place_of(source), self.slots.place_of(target)
        self.array[:, :, of_target, :, :length] = self.array[:, :, of_source, :, :length]

    def free(self, row: RowId) -> None:
        """Forget a row."""
        self.slots.free(row)
        del self.lengths[row]

    def make_room(self, positions: int) -> None:
        """Have room for so many positions in every row, and not for many more than the longest needs."""
        if self._fixed:
            return
        wanted = past_capacity(max([positions, *self.lengths.values()]), self._most)
        if wanted > self.capacity or 2 * wanted <= self.capacity:
            kept = min(wanted, self.capacity)
            resized = np.zeros((*self.array.shape[:4], wanted, self.array.shape[5]), self.array.dtype)
            resized[..., :kept, :] = self.array[..., :kept, :]
            self._replace(resized)

    def reserve(self, rows: int) -> None:
        """Have room for so many rows."""
        self.slots.reserve(rows)
        if rows > self.array.shape[2]:
            self._replace(longer(self.array, rows, 2))

    def views(self, first: int, count: int) -> list[CacheArray]:
        """Return neighbouring rows, layer by layer: the same list as long as it is the same memory."""
        if (first, count) not in self._views:
            self._views[first, count] = [part[first : first + count] for layer in self.array for part in layer]
        return self._views[first, count]

    def move(self, source: int, target: int, exchange: bool) -> None:  # noqa: FBT001 - called by `Slots.arrange`
        """Move a row's contents."""
        for layer in self.array:
            for part in layer:
                _move(part, source, target, exchange=exchange)

    def _replace(self, array: CacheArray) -> None:
        self.array = array
        self._views = {}


def _move(array: CacheArray, source: int, target: int, *, exchange: bool) -> None:
    kept = array[target].copy() if exchange else None
    array[target] = array[source]
    if kept is not None:
        array[source] = kept


def longer(array: CacheArray, length: int, axis: int) -> CacheArray:
    """Copy an array with zeros behind it along an axis, up to a length."""
    shape = list(array.shape)
    shape[axis] = max(length, 1)
    copy = np.zeros(shape, array.dtype)
    copy[tuple(slice(size) for size in array.shape)] = array
    return copy
