"""Running the decoder graph over slots: any number of rows at once, or one static row at a time for the NPU."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from whisper_inference.arrays import FloatArray
from whisper_inference.engines.openvino.decoder_graph import DecoderShape
from whisper_inference.engines.openvino.slots import Slots

_MASKED = np.float32(-1e4)
"""Added to scores that must not count: its exponential is zero in every format, and it fits all of them."""


class Decoder(Protocol):
    """Appends tokens to slots; the new keys and values are written at each slot's own length."""

    def append(
        self, slots: Slots, first: int, lengths: Sequence[int], embedded: FloatArray, logits_at: Sequence[int]
    ) -> FloatArray:
        """Run the slots from `first` on, one for each length.

        Args:
            slots: The batch.
            first: The first slot.
            lengths: Positions that each slot's past has now.
            embedded: `[rows, tokens, width]`.
            logits_at: Positions among the new tokens.

        Returns:
            Logits `[rows, len(logits_at), vocabulary]`, or alignment scores `[rows, heads, tokens, audio_context]`.
        """
        ...


class DynamicDecoder:
    """All rows in one call; for devices that take any shape."""

    def __init__(self, model: ov.CompiledModel, compute: ov.Type) -> None:
        self._request = model.create_infer_request()
        self._compute = compute

    def append(
        self, slots: Slots, first: int, lengths: Sequence[int], embedded: FloatArray, logits_at: Sequence[int]
    ) -> FloatArray:
        """Run the slots in one batch."""
        rows, tokens = embedded.shape[:2]
        inputs: list[NDArray[Any]] = [embedded, past_mask(lengths, slots.capacity), causal_mask(tokens)]
        if logits_at:
            inputs.append(np.array(logits_at, dtype=np.int64))
        tensors = [ov.Tensor(value) for value in inputs]
        tensors += cache_tensors(slots, first, rows, self._compute)
        for index, tensor in enumerate(tensors):
            self._request.set_input_tensor(index, tensor)
        self._request.infer()
        write_back(self._request, slots, first, lengths, tokens)
        result: FloatArray = np.array(self._request.get_output_tensor(0).data)
        return result


class StaticDecoder:
    """One row at a time, in pieces of a fixed number of tokens, the last one padded; for the NPU."""

    def __init__(self, models: Sequence[tuple[int, ov.CompiledModel]], compute: ov.Type) -> None:
        self._requests = [(tokens, model.create_infer_request()) for tokens, model in models]
        """From the fewest tokens to the most."""
        self._compute = compute

    def append(
        self, slots: Slots, first: int, lengths: Sequence[int], embedded: FloatArray, logits_at: Sequence[int]
    ) -> FloatArray:
        """Run the slots one after the other."""
        results = [
            self._append_row(slots, first + row, length, embedded[row : row + 1], logits_at)
            for row, length in enumerate(lengths)
        ]
        return np.stack(results)

    def _append_row(
        self, slots: Slots, slot: int, length: int, embedded: FloatArray, logits_at: Sequence[int]
    ) -> FloatArray:
        tokens, request = self._fitting(embedded.shape[1])
        pieces = []
        for begin in range(0, embedded.shape[1], tokens):
            piece = embedded[:, begin : begin + tokens]
            count = piece.shape[1]
            padded = np.pad(piece, ((0, 0), (0, tokens - count), (0, 0)))
            inputs: list[NDArray[Any]] = [padded, past_mask([length + begin], slots.capacity), causal_mask(tokens)]
            if logits_at:
                inputs.append(np.arange(tokens))
            tensors = [ov.Tensor(value) for value in inputs]
            tensors += cache_tensors(slots, slot, 1, self._compute)
            for index, tensor in enumerate(tensors):
                request.set_input_tensor(index, tensor)
            request.infer()
            write_back(request, slots, slot, [length + begin], count)
            pieces.append(np.array(request.get_output_tensor(0).data)[0, ..., :count, :])
        whole = np.concatenate(pieces, axis=-2)
        return whole[list(logits_at)] if logits_at else whole

    def _fitting(self, tokens: int) -> tuple[int, ov.InferRequest]:
        return next((pair for pair in self._requests if pair[0] >= tokens), self._requests[-1])


def static_shapes(text_context: int, piece: int) -> tuple[DecoderShape, DecoderShape]:
    """Return the shapes that a static decoder is compiled in: a step, and a piece of a prompt."""
    return DecoderShape(1, 1, text_context), DecoderShape(1, piece, text_context)


def past_mask(lengths: Sequence[int], capacity: int) -> FloatArray:
    """Return `[rows, 1, 1, capacity]`: 0 within each row's past, masked behind it."""
    beyond = np.arange(capacity) >= np.array(lengths)[:, None]
    return np.where(beyond, _MASKED, np.float32(0))[:, None, None, :]


def causal_mask(tokens: int) -> FloatArray:
    """Return `[tokens, tokens]`: no token hears those after it."""
    return np.triu(np.full((tokens, tokens), _MASKED, dtype=np.float32), k=1)


def cache_tensors(slots: Slots, first: int, rows: int, compute: ov.Type) -> list[ov.Tensor]:
    """Hand over the slots' memory itself, in the order of the graph's inputs."""
    here = slice(first, first + rows)
    arrays: list[NDArray[Any]] = []
    for layer, (keys, values) in enumerate(zip(slots.cross_keys, slots.cross_values, strict=True)):
        arrays += [slots.past[layer, 0, here], slots.past[layer, 1, here], keys[here], values[here]]
    return [shared_tensor(array, compute) for array in arrays]


def shared_tensor(array: NDArray[Any], compute: ov.Type) -> ov.Tensor:
    """Wrap memory without a copy; numpy has no bf16, so its bits travel as 16-bit integers."""
    return (
        ov.Tensor(array, ov.Shape(array.shape), compute)
        if compute == ov.Type.bf16
        else ov.Tensor(array, shared_memory=True)
    )


def write_back(request: ov.InferRequest, slots: Slots, first: int, lengths: Sequence[int], tokens: int) -> None:
    """Write the new keys and values at each row's own length."""
    for layer in range(slots.past.shape[0]):
        for kind in range(2):
            new = bits(request.get_output_tensor(1 + 2 * layer + kind), slots.past.dtype)
            for row, length in enumerate(lengths):
                slots.past[layer, kind, first + row, :, length : length + tokens] = new[row, :, :tokens]


def bits(tensor: ov.Tensor, dtype: np.dtype[Any]) -> NDArray[Any]:
    """View a tensor's memory in the type that the host keeps it in."""
    data: NDArray[Any] = tensor.data
    return data.view(dtype)
