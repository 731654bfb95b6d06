"""Compiling graphs for a device, with a cache on disk that never keeps a server from starting."""

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import openvino as ov

from whisper_inference.engines.base import Device
from whisper_inference.models.cache_contents import COMPILED_FOLDER

logger = logging.getLogger(__name__)

_PLUGINS: Final[dict[Device, str]] = {"npu": "NPU", "gpu": "GPU", "cpu": "CPU"}
_KEPT_OPERATIONS: Final = 128
"""Each compiled for one shape; about 20 shapes of a decoder, 100 MiB. OpenVINO's own number, 5000, is 3.7 GiB."""


def plugin_of(device: Device, npu_plugin: str | None) -> str:
    """Return OpenVINO's name for a device; the NPU's graphs may be sent elsewhere for tests."""
    return npu_plugin if device == "npu" and npu_plugin else _PLUGINS[device]


@dataclass(frozen=True, slots=True)
class Compiler:
    """Compiles models for one device and one precision."""

    core: ov.Core
    plugin: str
    compute: ov.Type
    threads: int | None
    cache: Path | None
    """A folder for this model, precision, driver and device alone; `None` compiles afresh."""

    def compile(self, model: ov.Model, *, reads_caches: bool = False) -> ov.CompiledModel:
        """Compile, from the cache where it has the model; a cache that cannot be used is passed over.

        Args:
            model: What to compile.
            reads_caches: It multiplies a few rows with large caches that come in as inputs.
        """
        options: dict[str, object] = {"INFERENCE_PRECISION_HINT": self.compute, "PERFORMANCE_HINT": "LATENCY"}
        if self.plugin == "CPU":
            # Integer activations share a scale over so many values; fewer cost more time than they gain in precision.
            options |= {"NUM_STREAMS": 1, "DYNAMIC_QUANTIZATION_GROUP_SIZE": 128}
            options |= {"CPU_RUNTIME_CACHE_CAPACITY": _KEPT_OPERATIONS}
            options |= {"INFERENCE_NUM_THREADS": self.threads} if self.threads else {}
            # Fused attention packs the caches anew at each step: 94 ms in place of 48 for 8 rows of base on AVX2.
            options |= {"SNIPPETS_MODE": "DISABLE"} if reads_caches else {}
        if self.cache is not None:
            try:
                return self.core.compile_model(model, self.plugin, options | {"CACHE_DIR": str(self.cache)})
            except RuntimeError:
                logger.warning("The compiled-model cache at %s cannot be used; compiling afresh", self.cache)
        return self.core.compile_model(model, self.plugin, options)


def cache_folder(root: Path, fingerprint: str, precision: str, core: ov.Core, plugin: str) -> Path:
    """Name the folder for what was compiled of a model: by model, precision, OpenVINO and driver, and device."""
    versions = core.get_versions(plugin)
    driver = "-".join(sorted({str(version.build_number) for version in versions.values()}))
    device = str(core.get_property(plugin, "FULL_DEVICE_NAME"))
    parts = (fingerprint[:32], precision, f"{ov.get_version()}-{driver}", f"{plugin}-{device}")
    return root.joinpath(COMPILED_FOLDER, *(re.sub(r"[^A-Za-z0-9._-]+", "_", part) for part in parts))
