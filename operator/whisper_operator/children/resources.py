"""What a container asks for: the person's figures, the device, and for the rest what the model needs."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from whisper_operator.api.model import Model
from whisper_operator.api.pool import Pool
from whisper_operator.devices import resource_of

_MEMORY: Final[Mapping[str, str]] = MappingProxyType(
    {"tiny": "1Gi", "base": "1536Mi", "small": "3Gi", "medium": "7Gi", "turbo": "7Gi", "large": "14Gi"}
)
"""Memory of a pod by the size in the model's name: weights in f32 and once more as the device wants them, eight windows
of keys and values, and the program. Measured for tiny and base, computed from there."""

_UNKNOWN: Final = "4Gi"


def container_resources(model: Model, pool: Pool) -> dict[str, Any]:
    """Return requests and limits."""
    memory = _memory(model.name)
    limits = {"memory": memory} | dict(pool.resources.limits or {})
    requests = {"cpu": limits.get("cpu", "1"), "memory": limits["memory"]} | dict(pool.resources.requests or {})
    device = resource_of(pool)
    if device is not None:
        # An extended resource is asked for in whole numbers, and as much as it is limited to.
        limits[device] = requests[device] = "1"
    return {"limits": limits, "requests": requests}


def _memory(name: str) -> str:
    words = re.split(r"[^a-z]+", name.lower())
    return next((_MEMORY[size] for size in _MEMORY if size in words), _UNKNOWN)
