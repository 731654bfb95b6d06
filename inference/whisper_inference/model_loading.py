"""From settings to a model on a device."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from whisper_contract.runtime import RuntimeConfig
from whisper_inference.engines.base import Device
from whisper_inference.engines.factory import PREFERRED_DEVICES, EngineChoice, LoadedEngine, load_engine
from whisper_inference.models.checkpoint import Checkpoint
from whisper_inference.models.fetch import resolve_model
from whisper_inference.models.loading import load_checkpoint
from whisper_inference.models.manifest import MANIFEST_FILE
from whisper_inference.models.use import InUse
from whisper_inference.transcription import Seconds


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A checkpoint and the engine that runs it."""

    checkpoint: Checkpoint
    engine: LoadedEngine
    load_time: Seconds
    in_use: InUse
    """The folder that the weights are mapped from, if it is one of the cache's."""


ModelLoader: TypeAlias = Callable[[RuntimeConfig], LoadedModel]
"""Loads a model; takes seconds to minutes and blocks."""


def load_model(settings: RuntimeConfig) -> LoadedModel:
    """Find, read and compile the model.

    Raises:
        WhisperError: It cannot be found, read or run; each as its own type.
    """
    began = time.monotonic()
    path = resolve_model(settings.model, revision=settings.revision, cache_dir=settings.cache_dir)
    in_use = InUse()
    if (path / MANIFEST_FILE).exists():
        in_use.hold(path)
    try:
        checkpoint = load_checkpoint(path)
        engine = load_engine(checkpoint, engine_choice(settings))
    except BaseException:
        in_use.close()
        raise
    return LoadedModel(checkpoint, engine, time.monotonic() - began, in_use)


def engine_choice(settings: RuntimeConfig) -> EngineChoice:
    """Return what the settings ask of the engine."""
    devices: tuple[Device, ...] = PREFERRED_DEVICES if settings.device == "auto" else (settings.device,)
    return EngineChoice(
        devices=devices,
        engine=settings.engine,
        precision=settings.precision,
        max_rows=settings.max_rows,
        threads=settings.threads,
        cache_dir=settings.cache_dir,
        npu_plugin=settings.npu_plugin,
    )
