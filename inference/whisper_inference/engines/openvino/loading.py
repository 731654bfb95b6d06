"""From a checkpoint to compiled graphs on a device."""

import mmap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import openvino as ov

from whisper_inference.engines.base import Capabilities, Device, Precision
from whisper_inference.engines.openvino.compiling import Compiler, cache_folder, plugin_of
from whisper_inference.engines.openvino.decoder_graph import DecoderShape, build_decoder
from whisper_inference.engines.openvino.decoders import Decoder, DynamicDecoder, StaticDecoder
from whisper_inference.engines.openvino.encoder_graph import build_encoder
from whisper_inference.engines.openvino.precision import (
    ComputeType,
    PrecisionChoice,
    PrecisionPlan,
    cpu_features,
    plan_precision,
    require_precision,
)
from whisper_inference.errors import DeviceUnavailable
from whisper_inference.models.checkpoint import Checkpoint, WeightArray
from whisper_inference.models.use import InUse

PIECE_TOKENS: Final = 16
"""Tokens of a prompt that the NPU takes at once: longer pieces pad more, shorter ones are more calls."""

_TYPES: Final[dict[ComputeType, ov.Type]] = {"f32": ov.Type.f32, "bf16": ov.Type.bf16, "f16": ov.Type.f16}
_NAMES: Final[dict[ov.Type, ComputeType]] = {value: name for name, value in _TYPES.items()}


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


@dataclass(frozen=True, slots=True)
class LoadedGraphs:
    """A checkpoint, compiled."""

    encoder: ov.InferRequest
    decoder: Decoder
    compute: ov.Type
    """The type of the caches."""
    capabilities: Capabilities
    in_use: InUse
    """Where they may be mapped from."""


def load_graphs(checkpoint: Checkpoint, settings: OpenVinoSettings) -> LoadedGraphs:
    """Build the graphs and compile them.

    Raises:
        DeviceUnavailable: OpenVINO sees no such device.
        UnsupportedPrecision: The device cannot compute in what was asked for.
    """
    core = ov.Core()
    plugin = plugin_of(settings.device, settings.npu_plugin)
    _require(core, plugin, settings.device)
    plan = _plan(core, plugin, settings)
    cache = _cache(checkpoint, settings, plan, core, plugin)
    compiler = Compiler(core, plugin, _TYPES[plan.compute], settings.threads, cache)
    encoder = compiler.compile(build_encoder(checkpoint, compiler.compute, int8=plan.int8_encoder))
    real = _NAMES.get(encoder.get_property("INFERENCE_PRECISION_HINT"), plan.compute)
    require_precision(settings.precision, plan, real)
    decoder = _load_decoder(checkpoint, compiler, int8=plan.int8_decoder, static=settings.device == "npu")
    forget_pages(checkpoint.weights.values())
    precision: Precision = "int8" if plan.precision == "int8" else real
    capabilities = Capabilities(
        engine="openvino",
        device=settings.device,
        device_name=str(core.get_property(plugin, "FULL_DEVICE_NAME")).strip(),
        precision=precision,
        simulated=settings.device == "npu" and plugin != "NPU",
        max_rows=settings.max_rows,
        word_timestamps=bool(checkpoint.alignment_heads),
    )
    in_use = InUse()
    if cache is not None:
        in_use.hold(cache)
    return LoadedGraphs(encoder.create_infer_request(), decoder, compiler.compute, capabilities, in_use)


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


def _load_decoder(checkpoint: Checkpoint, compiler: Compiler, *, int8: bool, static: bool) -> Decoder:
    def compiled(shape: DecoderShape) -> ov.CompiledModel:
        return compiler.compile(build_decoder(checkpoint, compiler.compute, shape, int8=int8), reads_caches=True)

    if not static:
        return DynamicDecoder(compiled(DecoderShape()), compiler.compute)
    step, piece = static_shapes(checkpoint.dimensions.text_context)
    return StaticDecoder(compiled(step), compiled(piece), compiler.compute, checkpoint.dimensions)


def static_shapes(text_context: int) -> tuple[DecoderShape, DecoderShape]:
    """Return the shapes of the NPU's decoder graphs: a step, and a piece of a prompt."""
    return DecoderShape(1, 1, text_context), DecoderShape(1, PIECE_TOKENS, text_context)


def forget_pages(weights: Iterable[WeightArray]) -> None:
    """Give back the memory of mapped weight files: the device has its own copy, and what is still read comes again."""
    for mapped in {id(found): found for weight in weights if (found := _mapping(weight))}.values():
        mapped.madvise(mmap.MADV_DONTNEED)


def _mapping(array: WeightArray) -> mmap.mmap | None:
    owner: object = array
    while owner is not None and not isinstance(owner, mmap.mmap):
        # A view's owner may be a plain object that numpy makes for strides.
        owner = owner.obj if isinstance(owner, memoryview) else getattr(owner, "base", None)
    return owner
