"""Running the decoder graph: any number of rows at once, or one row of fixed shapes after the other for the NPU."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from whisper_inference.arrays import FloatArray
from whisper_inference.engines.openvino.caches import CacheArray, longer
from whisper_inference.engines.openvino.shapes import padded_prompt
from whisper_inference.models.dimensions import ModelDimensions

_MASKED: Final = np.float32(-1e4)
"""Added to scores that must not count: its exponential is zero in every format, and it fits all of them."""


@dataclass(frozen=True, slots=True)
class DecoderCall:
    """What to run."""

    embedded: FloatArray
    """`[rows, tokens, width]`."""
    cross: list[CacheArray]
    """Keys and values of the windows, layer by layer."""
    lengths: Sequence[int]
    """Positions that each row remembers."""
    past: list[CacheArray] | None
    """The rows' memory, layer by layer; `None` for a row that begins."""
    logits_at: Sequence[int]
    """Positions whose logits are wanted, counted through all rows."""
    scored: bool = False
    """Alignment scores are wanted too."""


@dataclass(frozen=True, slots=True)
class DecoderAnswer:
    """Views of the decoder's own memory: good until its next call."""

    logits: FloatArray
    """`[len(logits_at), vocabulary]`."""
    new: list[CacheArray]
    """Keys and values of the new positions, layer by layer, `[rows, heads, tokens, head width]`."""
    scores: FloatArray | None
    """`[heads, tokens, audio_context]` of the first window."""


class Decoder(Protocol):
    """Appends tokens to rows."""

    @property
    def batches(self) -> bool:
        """Neighbouring rows run in one call faster than one after the other."""
        ...

    def run(self, call: DecoderCall) -> DecoderAnswer:
        """Run the graph."""
        ...


class DynamicDecoder:
    """All rows in one call; for devices that take any shape."""

    batches = True

    def __init__(self, model: ov.CompiledModel, compute: ov.Type) -> None:
        # A prompt between two steps must not unbind what the steps have bound.
        self._step, self._prompt = (_Request(model, compute) for _ in range(2))
        self._scores = len(model.outputs) % 2 == 0
        self._nothing = [
            np.zeros(
                (1, port.partial_shape[1].get_length(), 1, port.partial_shape[3].get_length()), cache_dtype(compute)
            )
            for port in model.inputs[_DYNAMIC_INPUTS:]
            if port.partial_shape[2].is_dynamic
        ]
        """A past of one masked position: shorter than any room for a real one."""

    def run(self, call: DecoderCall) -> DecoderAnswer:
        """Run the rows in one batch."""
        request, past, embedded = self._step, call.past, call.embedded
        tokens = embedded.shape[1]
        if past is None:
            # Padded at the end: no token hears those after it.
            request, past, embedded = self._prompt, self._nothing, longer(embedded, padded_prompt(tokens), 1)
        request.set_inputs(
            embedded,
            past_mask(call.lengths, past[0].shape[2]),
            causal_mask(embedded.shape[1]),
            np.array(call.logits_at, dtype=np.int64),
            np.array([tokens if call.scored else 0], dtype=np.int64),
        )
        request.bind_caches(past, call.cross)
        request.infer(len(call.logits_at))
        scores = request.output(-1)[0] if self._scores and call.scored else None
        new = [cache[:, :, :tokens] for cache in request.new_cache(len(past))]
        return DecoderAnswer(request.logits, new, scores)


class StaticDecoder:
    """One row at a time, prompts in pieces of a fixed number of tokens, the last one padded; for the NPU."""

    batches = False

    def __init__(
        self, step: ov.CompiledModel, piece: ov.CompiledModel, compute: ov.Type, dimensions: ModelDimensions
    ) -> None:
        self._step, self._piece = _Request(step, compute), _Request(piece, compute)
        self._piece_tokens = piece.inputs[0].shape[1]
        heads = dimensions.text_heads
        past = (1, heads, dimensions.text_context, dimensions.text_width // heads)
        self._scores = len(piece.outputs) % 2 == 0
        self._begun: list[CacheArray] = [
            np.zeros(past, cache_dtype(compute)) for _ in range(2 * dimensions.text_layers)
        ]
        """The memory of a row that begins: every piece of its prompt remembers those before it."""

    def run(self, call: DecoderCall) -> DecoderAnswer:
        """Run a prompt piece by piece, or the steps of rows one after the other."""
        return self._run_prompt(call) if call.past is None else self._run_step(call, call.past)

    def _run_step(self, call: DecoderCall, past: list[CacheArray]) -> DecoderAnswer:
        self._infer(self._step, call.embedded, call.lengths[0], past, call.cross)
        return DecoderAnswer(self._step.logits[list(call.logits_at)], self._step.new_cache(len(past)), None)

    def _run_prompt(self, call: DecoderCall) -> DecoderAnswer:
        tokens = call.embedded.shape[1]
        scores: list[FloatArray] = []
        wanted = np.array(call.logits_at, dtype=np.int64)
        logits = np.empty((len(wanted), self._piece.vocabulary), np.float32)
        for begin in range(0, tokens, self._piece_tokens):
            piece = call.embedded[:, begin : begin + self._piece_tokens]
            count = piece.shape[1]
            self._infer(self._piece, longer(piece, self._piece_tokens, 1), begin, self._begun, call.cross)
            for kept, new in zip(self._begun, self._piece.new_cache(len(self._begun)), strict=True):
                kept[:, :, begin : begin + count] = new[:, :, :count]
            here = (wanted >= begin) & (wanted < begin + count)
            logits[here] = self._piece.logits[wanted[here] - begin]
            if self._scores and call.scored:
                scores.append(self._piece.output(-1)[0, :, :count].copy())
        new_cache = [kept[:, :, :tokens] for kept in self._begun]
        return DecoderAnswer(logits, new_cache, np.concatenate(scores, axis=1) if scores else None)

    @staticmethod
    def _infer(
        request: "_Request", embedded: FloatArray, length: int, past: list[CacheArray], cross: list[CacheArray]
    ) -> None:
        tokens = embedded.shape[1]
        request.set_inputs(embedded, past_mask([length], past[0].shape[2]), causal_mask(tokens), np.arange(tokens))
        request.bind_caches(past, cross)
        request.infer(tokens)


class _Request:
    """An inference request that binds caches anew only when they have moved."""

    def __init__(self, model: ov.CompiledModel, compute: ov.Type) -> None:
        self._request = model.create_infer_request()
        self._compute = compute
        self._dtype = cache_dtype(compute)
        self.vocabulary = int(model.outputs[0].partial_shape[1].get_length())
        self._small_inputs = 0
        self._bound: tuple[list[CacheArray], list[CacheArray]] | None = None
        self._logits: FloatArray = np.empty((0, self.vocabulary), np.float32)
        self.logits = self._logits
        """What the last inference wrote, `[positions, vocabulary]`."""

    def set_inputs(self, *values: NDArray[Any]) -> None:
        """Copy the small inputs, which are new each time."""
        self._small_inputs = len(values)
        for index, value in enumerate(values):
            self._request.set_input_tensor(index, ov.Tensor(value))

    def bind_caches(self, past: list[CacheArray], cross: list[CacheArray]) -> None:
        """Hand over the caches' memory itself: two of each for a layer, in the order of the graph's inputs."""
        if self._bound and self._bound[0] is past and self._bound[1] is cross:
            return
        index = self._small_inputs
        for layer in range(0, len(past), 2):
            for array in (*past[layer : layer + 2], *cross[layer : layer + 2]):
                self._request.set_input_tensor(index, shared_tensor(array, self._compute))
                index += 1
        self._bound = (past, cross)

    def infer(self, positions: int) -> None:
        """Infer; the logits of so many positions are written to the host's own memory, used again each time."""
        if positions > len(self._logits):
            self._logits = np.empty((positions, self.vocabulary), np.float32)
        self.logits = self._logits[:positions]
        self._request.set_output_tensor(0, ov.Tensor(self.logits, shared_memory=True))
        self._request.infer()

    def output(self, index: int) -> FloatArray:
        """View an output in float32; the last one is -1."""
        at = index % len(self._request.model_outputs)
        data: FloatArray = self._request.get_output_tensor(at).data
        return data

    def new_cache(self, count: int) -> list[CacheArray]:
        """View the new keys and values."""
        return [self._request.get_output_tensor(1 + index).data.view(self._dtype) for index in range(count)]


_DYNAMIC_INPUTS: Final = 5
"""Inputs of the dynamic graph before its caches."""


def past_mask(lengths: Sequence[int], capacity: int) -> FloatArray:
    """Return `[rows, 1, 1, capacity]`: 0 within each row's past, masked behind it."""
    beyond = np.arange(capacity) >= np.array(lengths)[:, None]
    return np.where(beyond, _MASKED, np.float32(0))[:, None, None, :]


def causal_mask(tokens: int) -> FloatArray:
    """Return `[tokens, tokens]`: no token hears those after it."""
    return np.triu(np.full((tokens, tokens), _MASKED, dtype=np.float32), k=1)


def shared_tensor(array: CacheArray, compute: ov.Type) -> ov.Tensor:
    """Wrap memory without a copy; numpy has no bf16, so its bits travel as 16-bit integers."""
    if compute == ov.Type.bf16:
        return ov.Tensor(array, ov.Shape(array.shape), compute)
    return ov.Tensor(array, shared_memory=True)


def cache_dtype(compute: ov.Type) -> np.dtype[Any]:
    """Return the type in which the host keeps caches of a compute type."""
    return np.dtype(np.uint16) if compute == ov.Type.bf16 else np.dtype(compute.to_dtype())
