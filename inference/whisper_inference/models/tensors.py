"""Tensors inside a mapped weight file: their element types, and views of them that stay within the file.

A file is mapped copy-on-write: float16 and float32 weights are read from it when first used, never copied.
"""

import mmap
from dataclasses import dataclass
from enum import Enum
from math import prod
from pathlib import Path
from typing import Final

import numpy as np

from whisper_inference.errors import InvalidCheckpoint
from whisper_inference.models.checkpoint import WeightArray

_BFLOAT16_SHIFT: Final = 16
"""A bfloat16 is the upper half of a float32."""


class ElementType(Enum):
    """How a number is stored, by its numpy type; bfloat16 has none and is read as raw 16 bits."""

    FLOAT16 = "<f2"
    BFLOAT16 = "<u2"
    FLOAT32 = "<f4"
    FLOAT64 = "<f8"

    @property
    def size(self) -> int:
        """Bytes."""
        return np.dtype(self.value).itemsize


@dataclass(frozen=True, slots=True)
class TensorView:
    """One tensor of a file: a layout within a stretch of bytes that lies wholly in the file."""

    element_type: ElementType
    start: int
    """Byte in the file at which its storage begins."""
    elements: int
    """Numbers in its storage."""
    offset: int
    """Numbers of the storage before the first one of the tensor."""
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """Numbers from one index to the next, for each dimension."""

    def problem(self) -> str | None:
        """Say what is impossible in the layout, which came from an untrusted file."""
        if len(self.shape) != len(self.strides) or min((*self.shape, *self.strides, self.offset), default=0) < 0:
            return "its sizes and strides are not those of a tensor"
        last = self.offset + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        count = prod(self.shape)
        if count > self.elements or (count and last >= self.elements):
            return f"it reaches beyond its storage of {self.elements} numbers"
        return None


def contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of a row-major tensor, in numbers."""
    return tuple(prod(shape[index + 1 :]) for index in range(len(shape)))


def map_file(path: Path) -> mmap.mmap:
    """Map a file into memory, copy-on-write.

    Raises:
        InvalidCheckpoint: It is missing, empty or unreadable.
    """
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except FileNotFoundError as error:
        raise InvalidCheckpoint(path, "the file is missing.") from error
    except OSError as error:
        raise InvalidCheckpoint(path, f"cannot be read: {error.strerror}.") from error
    except ValueError as error:  # what `mmap` makes of an empty file
        raise InvalidCheckpoint(path, "the file is empty.") from error


def read_tensor(data: mmap.mmap, view: TensorView) -> WeightArray:
    """Return the numbers of a view whose `problem()` is none, row-major; wider types become float32."""
    stored = np.frombuffer(data, view.element_type.value, view.elements, view.start)
    # The stride of a dimension of one is never used, and may be any number.
    used = (stride if size > 1 else 0 for size, stride in zip(view.shape, view.strides, strict=True))
    strides = [stride * view.element_type.size for stride in used]
    laid_out = np.lib.stride_tricks.as_strided(stored[view.offset :], view.shape, strides)
    match view.element_type:
        case ElementType.BFLOAT16:
            return (laid_out.astype(np.uint32) << _BFLOAT16_SHIFT).view(np.float32)
        case ElementType.FLOAT64:
            return laid_out.astype(np.float32)
        case ElementType.FLOAT16 | ElementType.FLOAT32:
            return np.require(laid_out, requirements=["C_CONTIGUOUS", "ALIGNED"])
