"""Write a checkpoint in whisper.cpp's file format, f16, as its own `convert-pt-to-ggml.py` lays it out."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from whisper_inference.arrays import FloatArray
from whisper_inference.models.checkpoint import WeightArray

_MAGIC = 0x67676D6C
_SIZES = ("ctx", "state", "head", "layer")
_HEADER = ("vocab", *(f"audio_{size}" for size in _SIZES), *(f"text_{size}" for size in _SIZES), "mels")
_KEPT_IN_F32 = frozenset(
    {"encoder.conv1.bias", "encoder.conv2.bias", "encoder.positional_embedding", "decoder.positional_embedding"}
)


def write_ggml(
    target: Path,
    dimensions: Mapping[str, int],
    weights: Mapping[str, WeightArray],
    vocabulary: list[bytes],
    mel_filters: FloatArray,
) -> None:
    """Write the model file.

    Args:
        target: The file to make.
        dimensions: OpenAI's `dims`.
        weights: OpenAI's names.
        vocabulary: The byte-pair tokens in rank order, without the special ones.
        mel_filters: `[mel_bins, 201]`.
    """
    with target.open("wb") as file:
        _integers(file, _MAGIC, *(dimensions[f"n_{name}"] for name in _HEADER), 1)
        _integers(file, *mel_filters.shape)
        mel_filters.astype(np.float32).tofile(file)
        _integers(file, len(vocabulary))
        for token in vocabulary:
            _integers(file, len(token))
            file.write(token)
        for name, value in weights.items():
            _tensor(file, name, value)


def _tensor(file: BinaryIO, name: str, value: WeightArray) -> None:
    data = value.squeeze()
    if name.endswith(("conv1.bias", "conv2.bias")):
        data = data.reshape(-1, 1)
    half = data.ndim > 1 and name not in _KEPT_IN_F32
    _integers(file, data.ndim, len(name), int(half), *reversed(data.shape))
    file.write(name.encode())
    file.write(np.ascontiguousarray(data, dtype=np.float16 if half else np.float32).tobytes())


def _integers(file: BinaryIO, *values: int) -> None:
    file.write(struct.pack(f"{len(values)}i", *values))
