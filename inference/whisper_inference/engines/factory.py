"""Choosing an engine: an ordered list of devices, the first that works, and why those before it did not."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from whisper_inference.engines.base import Device, Engine, EngineName
from whisper_inference.errors import DeviceUnavailable, UnsupportedPrecision, WhisperError
from whisper_inference.models.checkpoint import Checkpoint

logger = logging.getLogger(__name__)

PREFERRED_DEVICES: tuple[Device, ...] = ("npu", "gpu", "cpu")


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """What was asked for."""

    devices: tuple[Device, ...] = PREFERRED_DEVICES
    """In order of preference; a single one means that one or a refusal."""
    engine: Literal["auto", "openvino", "pytorch"] = "auto"
    precision: Literal["auto", "f32", "bf16", "f16", "int8"] = "auto"
    max_rows: int = 8
    threads: int | None = None
    cache_dir: Path | None = None
    npu_plugin: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One engine on one device, tried."""

    device: Device
    engine: EngineName
    problem: str | None
    """Why it does not work here; `None` for the one that was taken."""


@dataclass(frozen=True, slots=True)
class LoadedEngine:
    """A working engine and how it was found."""

    engine: Engine
    attempts: tuple[Attempt, ...]


Loader: TypeAlias = Callable[[Checkpoint, Device, EngineChoice], Engine]
"""Loads a checkpoint onto a device, or raises."""


def load_engine(
    checkpoint: Checkpoint, choice: EngineChoice, loaders: Mapping[EngineName, Loader] | None = None
) -> LoadedEngine:
    """Load the checkpoint onto the first device that works.

    Raises:
        UnsupportedPrecision: All could run it, but none in the precision that was asked for.
        DeviceUnavailable: None does; the message says why for each.
    """
    loaders = loaders or {"openvino": _load_openvino, "pytorch": _load_pytorch}
    attempts: list[Attempt] = []
    only_precision = True
    for device, name in _candidates(choice):
        try:
            engine = loaders[name](checkpoint, device, choice)
        except (WhisperError, ImportError, RuntimeError, MemoryError) as problem:
            attempts.append(Attempt(device, name, _sentence(problem)))
            only_precision = only_precision and isinstance(problem, UnsupportedPrecision)
            continue
        attempts.append(Attempt(device, name, None))
        _report(attempts)
        return LoadedEngine(engine, tuple(attempts))
    reasons = "; ".join(f"{attempt.device} with {attempt.engine}: {attempt.problem}" for attempt in attempts)
    if only_precision and attempts:
        raise UnsupportedPrecision(
            f"{checkpoint.name} cannot be run in {choice.precision}. {reasons}", param="precision"
        )
    raise DeviceUnavailable(f"No device can run {checkpoint.name}. {reasons}", param="device")


def _candidates(choice: EngineChoice) -> Iterator[tuple[Device, EngineName]]:
    for device in choice.devices:
        # On a GPU, CUDA comes first: whoever has torch with CUDA installed put it there for this.
        order: tuple[EngineName, ...] = ("pytorch", "openvino") if device == "gpu" else ("openvino", "pytorch")
        for name in order:
            # PyTorch knows no NPU: it is tried there only by whoever asks for it, and then says so.
            if choice.engine == name or (choice.engine == "auto" and (device, name) != ("npu", "pytorch")):
                yield device, name


def _load_openvino(checkpoint: Checkpoint, device: Device, choice: EngineChoice) -> Engine:
    from whisper_inference.engines.openvino import OpenVinoEngine, OpenVinoSettings  # noqa: PLC0415 - only if chosen

    settings = OpenVinoSettings(
        device, choice.precision, choice.max_rows, choice.threads, choice.cache_dir, choice.npu_plugin
    )
    return OpenVinoEngine(checkpoint, settings)


def _load_pytorch(checkpoint: Checkpoint, device: Device, choice: EngineChoice) -> Engine:
    from whisper_inference.engines.pytorch import PyTorchEngine, PyTorchSettings  # noqa: PLC0415 - only if chosen

    return PyTorchEngine(checkpoint, PyTorchSettings(device, choice.precision, choice.max_rows, choice.threads))


def _sentence(problem: Exception) -> str:
    if isinstance(problem, ImportError):
        return f"{problem.name or 'a package'} is not installed"
    return str(problem).strip().splitlines()[0].rstrip(".") if str(problem).strip() else type(problem).__name__


def _report(attempts: list[Attempt]) -> None:
    *passed_over, taken = attempts
    for attempt in passed_over:
        logger.info("Passed over %s with %s: %s", attempt.device, attempt.engine, attempt.problem)
    logger.info("Running on %s with %s", taken.device, taken.engine)
