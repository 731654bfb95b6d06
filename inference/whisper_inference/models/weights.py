"""Whether a checkpoint's dimensions are those of a Whisper, and its tensors those of its dimensions."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from whisper_inference.errors import InvalidCheckpoint
from whisper_inference.models.dimensions import ModelDimensions
from whisper_inference.models.weight_names import Shape, expected_shapes

_RANGES: Final = MappingProxyType(
    {
        "audio_context": range(1500, 1501),
        "audio_width": range(1, 8193),
        "audio_heads": range(1, 129),
        "audio_layers": range(1, 129),
        "vocabulary": range(51_864, 60_001),
        "text_context": range(16, 4097),
        "text_width": range(1, 8193),
        "text_heads": range(1, 129),
        "text_layers": range(1, 129),
    }
)
"""Well beyond every Whisper, and far below what could exhaust memory; windows of 30 s make 1500 positions."""

_MEL_BINS: Final = (80, 128)

_SHOWN: Final = 3
"""Names in one sentence."""


def check_dimensions(path: Path, dimensions: ModelDimensions) -> None:
    """Refuse dimensions that are no Whisper's.

    Raises:
        InvalidCheckpoint: One is out of range, or two do not fit each other.
    """
    if dimensions.mel_bins not in _MEL_BINS:
        raise InvalidCheckpoint(path, f"mel_bins is {dimensions.mel_bins}; Whisper has 80 or 128.")
    for name, allowed in _RANGES.items():
        value = getattr(dimensions, name)
        if value not in allowed:
            raise InvalidCheckpoint(path, f"{name} is {value}; {allowed.start} to {allowed.stop - 1} is possible.")
    if dimensions.audio_width != dimensions.text_width:
        raise InvalidCheckpoint(
            path, f"audio_width {dimensions.audio_width} and text_width {dimensions.text_width} differ."
        )
    for heads, width in ((dimensions.audio_heads, "audio_width"), (dimensions.text_heads, "text_width")):
        if getattr(dimensions, width) % heads:
            raise InvalidCheckpoint(path, f"{width} {getattr(dimensions, width)} is no multiple of its {heads} heads.")


def check_shapes(path: Path, dimensions: ModelDimensions, shapes: Mapping[str, Shape]) -> None:
    """Refuse tensors, by OpenAI's names, that are not exactly those of the dimensions.

    Raises:
        InvalidCheckpoint: One is missing, is unknown, or has another shape; the sentence names it.
    """
    expected = expected_shapes(dimensions)
    missing = [name for name in expected if name not in shapes]
    if missing:
        raise InvalidCheckpoint(path, f"{_listed(missing)} missing.")
    unknown = [name for name in shapes if name not in expected]
    if unknown:
        raise InvalidCheckpoint(path, f"{_listed(unknown)} not part of a Whisper of these dimensions.")
    for name, shape in expected.items():
        if tuple(shapes[name]) != shape:
            raise InvalidCheckpoint(path, f"the tensor {name} has the shape {list(shapes[name])}, not {list(shape)}.")


def _listed(names: list[str]) -> str:
    """Begin a sentence about tensors: `The tensors a, b and 7 more are`."""
    shown = ", ".join(name[:99] for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"the tensor{'s' * (len(names) > 1)} {shown}{more} {'are' if len(names) > 1 else 'is'}"
