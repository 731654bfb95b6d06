"""Reading a safetensors file in place: eight bytes of length, a JSON header, then the tensors' bytes.

The tensors are views of the mapped file, so a process pays only for what it uses, and processes share the pages. The
format's rules (https://github.com/huggingface/safetensors) are checked: every byte behind the header belongs to
exactly one tensor, so a truncated or padded file is found before anything is read from it.
"""

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from whisper_inference.errors import InvalidCheckpoint
from whisper_inference.models.json_files import parse_json_object
from whisper_inference.models.tensors import ElementType, TensorView, contiguous_strides, map_file

_HEADER_LENGTH: Final = struct.Struct("<Q")

_LARGEST_HEADER: Final = 16 * 2**20
"""Bytes: that of Whisper's largest checkpoint has 150 kB."""

_ELEMENT_TYPES: Final = MappingProxyType(
    {
        "F16": ElementType.FLOAT16,
        "BF16": ElementType.BFLOAT16,
        "F32": ElementType.FLOAT32,
        "F64": ElementType.FLOAT64,
    }
)


@dataclass(frozen=True, slots=True)
class SafetensorsFile:
    """A mapped file and where each of its tensors lies."""

    data: mmap.mmap
    views: Mapping[str, TensorView]


def open_safetensors(path: Path) -> SafetensorsFile:
    """Map a file and check its header.

    Raises:
        InvalidCheckpoint: It is missing, truncated or malformed, or holds other than floating-point tensors.
    """
    data = map_file(path)
    if len(data) < _HEADER_LENGTH.size:
        raise InvalidCheckpoint(path, "truncated: it ends within its header.")
    (length,) = _HEADER_LENGTH.unpack_from(data)
    begin = _HEADER_LENGTH.size + length
    if length > _LARGEST_HEADER:
        raise InvalidCheckpoint(path, f"not a safetensors file of a Whisper: its header claims {length} bytes.")
    if begin > len(data):
        raise InvalidCheckpoint(path, f"truncated: {len(data)} bytes of at least {begin}.")
    header = parse_json_object(path, data[_HEADER_LENGTH.size : begin])
    header.pop("__metadata__", None)
    views = {name: _view(path, name, entry, begin) for name, entry in header.items()}
    _check_tiling(path, sorted((view.start, view.elements * view.element_type.size) for view in views.values()), begin)
    end = max((view.start + view.elements * view.element_type.size for view in views.values()), default=begin)
    if end != len(data):
        state = "truncated" if end > len(data) else "malformed"
        raise InvalidCheckpoint(path, f"{state}: {len(data)} bytes, its header describes {end}.")
    return SafetensorsFile(data, MappingProxyType(views))


def _view(path: Path, name: str, entry: Any, begin: int) -> TensorView:  # noqa: ANN401 (untrusted)
    match entry:
        case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [int(start), int(end)]}:
            pass
        case _:
            raise InvalidCheckpoint(path, f"its header is malformed at {name[:99]!r}.")
    if dtype not in _ELEMENT_TYPES:
        raise InvalidCheckpoint(path, f"{name[:99]} is of type {dtype[:99]}; {', '.join(_ELEMENT_TYPES)} can be read.")
    element_type = _ELEMENT_TYPES[dtype]
    sizes = tuple(size for size in shape if type(size) is int and size >= 0)
    if len(sizes) != len(shape) or not 0 <= start <= end or end - start != prod(sizes) * element_type.size:
        raise InvalidCheckpoint(path, f"its header gives {name[:99]!r} a shape that does not fit its bytes.")
    return TensorView(element_type, begin + start, prod(sizes), 0, sizes, contiguous_strides(sizes))


def _check_tiling(path: Path, stretches: list[tuple[int, int]], position: int) -> None:
    for start, size in stretches:
        if start != position:
            raise InvalidCheckpoint(path, f"malformed: its tensors overlap or leave a gap at byte {position}.")
        position += size
