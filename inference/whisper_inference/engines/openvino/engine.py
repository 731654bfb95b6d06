"""`OpenVinoEngine`: the engine protocol over two compiled graphs and the slots of a running batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from whisper_inference.arrays import FloatArray
from whisper_inference.engines.base import Capabilities, Device, Precision, RowId, WindowId
from whisper_inference.engines.limits import require_positions
from whisper_inference.engines.openvino.compiling import Compiler, cache_folder, plugin_of
from whisper_inference.engines.openvino.decoder_graph import DecoderShape, build_decoder
from whisper_inference.engines.openvino.decoders import (
    Decoder,
    DynamicDecoder,
    StaticDecoder,
    shared_tensor,
    static_shapes,
)
from whisper_inference.engines.openvino.encoder_graph import build_encoder
from whisper_inference.engines.openvino.precision import PrecisionChoice, PrecisionPlan, cpu_features, plan_precision
from whisper_inference.engines.openvino.slots import Slots
from whisper_inference.errors import DeviceUnavailable, EngineFailed
from whisper_inference.models.checkpoint import Checkpoint
from whisper_inference.models.dimensions import ModelDimensions

_STATIC_PIECE = 16
"""Tokens of a prompt that the NPU takes at once: longer pieces pad more, shorter ones are more calls."""

_TYPES = {"f32": ov.Type.f32, "bf16": ov.Type.bf16, "f16": ov.Type.f16}
_DTYPES: dict[str, np.dtype[Any]] = {
    "f32": np.dtype(np.float32),
    "bf16": np.dtype(np.uint16),
    "f16": np.dtype(np.float16),
}


@dataclass(frozen=True, slots=True)
class OpenVinoSettings:
    """How to run a checkpoint."""

    device: Device = "cpu"
    precision: PrecisionChoice = "auto"
    max_rows: int = 8
    threads: int | None = None
    """`None` leaves it to OpenVINO: one per core."""
    cache_dir: Path | None = None
    npu_plugin: str | None = None
    """Send the NPU's static graphs to this plugin instead, for tests; the capabilities then say `simulated`."""


class OpenVinoEngine:
    """A checkpoint on one of OpenVINO's devices.

    The Intel GPU runs the CPU's dynamic graphs in f16, the NPU static ones; neither was run on real hardware yet.
    """

    def __init__(self, checkpoint: Checkpoint, settings: OpenVinoSettings | None = None) -> None:
        settings = settings or OpenVinoSettings()
        core = ov.Core()
        plugin = plugin_of(settings.device, settings.npu_plugin)
        _require(core, plugin, settings.device)
        plan = _plan(core, plugin, settings)
        compute = _TYPES[plan.compute]
        self._dimensions = checkpoint.dimensions
        self._embedding = checkpoint.weights["decoder.token_embedding.weight"]
        self._positions = checkpoint.weights["decoder.positional_embedding"]
        self._compute = compute
        compiler = Compiler(core, plugin, compute, settings.threads, _cache(checkpoint, settings, plan, core, plugin))
        encoder = compiler.compile(build_encoder(checkpoint, compute, int8=plan.int8_encoder))
        self._encoder = encoder.create_infer_request()
        static = settings.device == "npu"
        self._make_decoder = _decoder_maker(checkpoint, compiler, compute, int8=plan.int8_decoder, static=static)
        self._decoder = self._make_decoder(False)  # noqa: FBT003 - not for alignment
        self._aligner: Decoder | None = None
        capacity = checkpoint.dimensions.text_context if static else None
        self._slots = Slots(checkpoint.dimensions, _DTYPES[plan.compute], fixed_capacity=capacity)
        self._numbers = count()
        self._capabilities = Capabilities(
            engine="openvino",
            device=settings.device,
            device_name=str(core.get_property(plugin, "FULL_DEVICE_NAME")).strip(),
            precision=_read_back(plan, encoder),
            simulated=settings.device == "npu" and plugin != "NPU",
            max_rows=settings.max_rows,
            word_timestamps=True,
        )

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do."""
        return self._capabilities

    @property
    def dimensions(self) -> ModelDimensions:
        """The shape of the loaded model."""
        return self._dimensions

    def encode(self, log_mel: FloatArray) -> WindowId:
        """Encode one window straight into a slot."""
        window = WindowId(next(self._numbers))
        slot = self._slots.take(window)
        self._encoder.set_input_tensor(0, ov.Tensor(np.ascontiguousarray(log_mel[None], dtype=np.float32)))
        for layer, pair in enumerate(zip(self._slots.cross_keys, self._slots.cross_values, strict=True)):
            for kind, array in enumerate(pair):
                self._encoder.set_output_tensor(2 * layer + kind, shared_tensor(array[slot : slot + 1], self._compute))
        self._encoder.infer()
        return window

    def release(self, window: WindowId) -> None:
        """Forget a window and finish every row that listens to it."""
        indices = [index for index, _ in self._slots.of_window(window)]
        if not indices:
            raise KeyError(f"window {window} does not live")
        self._slots.free(indices)

    def start(
        self, window: WindowId, tokens: Sequence[int], rows: int, logits_at: Sequence[int]
    ) -> tuple[list[RowId], FloatArray]:
        """Begin rows: the prompt runs once, further rows take a copy of what it left."""
        self._require_rows(rows)
        require_positions(len(tokens), self._dimensions.text_context)
        self._slots.make_room(len(tokens))
        slots = [self._seat(window) for _ in range(rows)]
        first = slots[0]
        logits = self._decoder.append(self._slots, first, [0], self._embed([tokens], [0]), list(logits_at))
        started = []
        for slot in slots:
            if slot != first:
                self._slots.copy_past(first, slot, len(tokens))
            started.append(self._occupy(slot, len(tokens)))
        return started, logits[0]

    def step(self, rows: Sequence[RowId], tokens: Sequence[int]) -> FloatArray:
        """Append one token to each of the rows."""
        here = [self._slots.of_row(row) for row in rows]
        require_positions(max(slot.length for _, slot in here) + 1, self._dimensions.text_context)
        self._slots.bring_forward([place for place, _ in here], len(rows))
        found = [self._slots.of_row(row) for row in rows]
        order = np.argsort([place for place, _ in found])
        lengths = [found[index][1].length for index in order]
        self._slots.make_room(max(lengths) + 1)
        embedded = self._embed([[tokens[index]] for index in order], lengths)
        logits = self._decoder.append(self._slots, 0, lengths, embedded, [0])[:, 0]
        for _, slot in found:
            slot.length += 1
        in_order = bool((order == np.arange(len(order))).all())
        return logits if in_order else logits[[place for place, _ in found]]

    def copy_rows(self, sources: Sequence[RowId], targets: Sequence[RowId]) -> None:
        """Let each target continue from its source's history."""
        for source, target in zip(sources, targets, strict=True):
            (origin, slot), (place, other) = self._slots.of_row(source), self._slots.of_row(target)
            self._slots.copy_past(origin, place, slot.length)
            other.length = slot.length

    def finish(self, rows: Sequence[RowId]) -> None:
        """Free the rows."""
        for row in rows:
            self._slots.leave(self._slots.of_row(row)[0])

    def align(self, window: WindowId, tokens: Sequence[int]) -> FloatArray:
        """Score the tokens against the audio; the graph for it is compiled on its first use."""
        if self._aligner is None:
            self._aligner = self._make_decoder(True)  # noqa: FBT003 - for alignment
        self._slots.make_room(len(tokens))
        slot = self._seat(window)
        try:
            scores = self._aligner.append(self._slots, slot, [0], self._embed([tokens], [0]), [])
        finally:
            self._slots.leave(slot)
        aligned: FloatArray = scores[0]
        return aligned

    def close(self) -> None:
        """Free the device: OpenVINO does when the last reference goes."""
        del self._encoder, self._decoder, self._aligner, self._make_decoder

    def _seat(self, window: WindowId) -> int:
        """Find a slot for a row: the window's own if no row has it, else a new one."""
        seats = list(self._slots.of_window(window))
        if not seats:
            raise KeyError(f"window {window} does not live")
        empty = next((index for index, slot in seats if slot.row is None), None)
        if empty is not None:
            self._occupy(empty, 0)
            return empty
        index = self._slots.take(window)
        self._slots.copy_window(seats[0][0], index)
        self._occupy(index, 0)
        return index

    def _occupy(self, index: int, length: int) -> RowId:
        slot = self._slots.occupants[index]
        if slot is None:
            raise KeyError(f"slot {index} is free")
        slot.row, slot.length = RowId(next(self._numbers)), length
        return slot.row

    def _embed(self, tokens: Sequence[Sequence[int]], lengths: Sequence[int]) -> FloatArray:
        positions = np.array(lengths)[:, None] + np.arange(len(tokens[0]))
        embedded: FloatArray = self._embedding[np.array(tokens)].astype(np.float32)
        return embedded + self._positions[positions].astype(np.float32)

    def _require_rows(self, more: int) -> None:
        live = sum(1 for slot in self._slots.occupants if slot and slot.row is not None)
        if live + more > self._capabilities.max_rows:
            raise EngineFailed(
                f"{live} rows live and {more} more are wanted; this engine has {self._capabilities.max_rows}."
            )


def _require(core: ov.Core, plugin: str, device: Device) -> None:
    available = {name.partition(".")[0] for name in core.available_devices}
    if plugin not in available:
        raise DeviceUnavailable(f"OpenVINO sees no {device.upper()} here (it sees: {', '.join(sorted(available))}).")


def _plan(core: ov.Core, plugin: str, settings: OpenVinoSettings) -> PrecisionPlan:
    capabilities = frozenset(str(name) for name in core.get_property(plugin, "OPTIMIZATION_CAPABILITIES"))
    cpuinfo = Path("/proc/cpuinfo")
    features = cpu_features(cpuinfo.read_text()) if cpuinfo.exists() else frozenset()
    return plan_precision(settings.precision, settings.device, capabilities, features)


def _cache(
    checkpoint: Checkpoint, settings: OpenVinoSettings, plan: PrecisionPlan, core: ov.Core, plugin: str
) -> Path | None:
    if settings.cache_dir is None:
        return None
    return cache_folder(settings.cache_dir, checkpoint.fingerprint, plan.precision, core, plugin)


def _decoder_maker(
    checkpoint: Checkpoint, compiler: Compiler, compute: ov.Type, *, int8: bool, static: bool
) -> Callable[[bool], Decoder]:
    def compiled(shape: DecoderShape, align: bool) -> ov.CompiledModel:  # noqa: FBT001 - one flag, two graphs
        return compiler.compile(build_decoder(checkpoint, compute, shape, int8=int8, align=align))

    def make(align: bool) -> Decoder:  # noqa: FBT001 - one flag, two graphs
        if not static:
            return DynamicDecoder(compiled(DecoderShape(), align), compute)
        shapes = static_shapes(checkpoint.dimensions.text_context, _STATIC_PIECE)
        return StaticDecoder([(shape.tokens, compiled(shape, align)) for shape in shapes], compute)

    return make


def _read_back(plan: PrecisionPlan, model: ov.CompiledModel) -> Precision:
    """Say what is really computed in: a device may replace the type that it was asked for."""
    names: dict[ov.Type, Precision] = {ov.Type.f32: "f32", ov.Type.bf16: "bf16", ov.Type.f16: "f16"}
    real = names.get(model.get_property("INFERENCE_PRECISION_HINT"), plan.compute)
    return plan.precision if plan.precision == "int8" else real
