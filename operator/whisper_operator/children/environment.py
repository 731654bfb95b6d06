"""What a pod's server is told, in the words of the contract."""

import math
from typing import Any, Final

from pydantic import BaseModel

from whisper_contract.runtime import ENVIRONMENT_PREFIX, RuntimeConfig
from whisper_contract.surface import HTTP_PORT, MANAGEMENT_PORT
from whisper_operator.api.base import duration, size_bytes
from whisper_operator.api.pool import Pool
from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.credentials import API_KEY
from whisper_operator.children.volumes import CACHE_FOLDER, CREDENTIALS_FOLDER, model_location
from whisper_operator.devices import profile_of

DRAIN_SECONDS: Final = 60
"""How long a pod that stops goes on with what it has."""


def runtime_config(owner: WhisperDeployment, pool: Pool) -> RuntimeConfig:
    """Return the settings of a pool's server."""
    spec = owner.spec
    hub = spec.model.source.hugging_face
    settings: dict[str, Any] = {
        "model": model_location(spec.model),
        "model_name": spec.model.name,
        "device": pool.device,
        "engine": profile_of(pool).engine,
        "precision": spec.model.precision,
        # Both ports are reached from other pods; a key is always given, and the management port is never published.
        "host": "0.0.0.0",  # noqa: S104 - as above
        "port": HTTP_PORT,
        "management_host": "0.0.0.0",  # noqa: S104 - as above
        "management_port": MANAGEMENT_PORT,
        "api_key_file": f"{CREDENTIALS_FOLDER}/{API_KEY}",
        "max_upload_bytes": size_bytes(spec.api.max_upload_size),
        "max_audio_seconds": duration(spec.api.max_audio_duration).total_seconds(),
        "cache_dir": CACHE_FOLDER,
        "drain_seconds": DRAIN_SECONDS,
        "log_format": "json",
    }
    if hub is not None:
        settings["revision"] = hub.revision
    threads = _threads(pool)
    if threads is not None:
        settings["threads"] = threads
    return RuntimeConfig.model_validate(settings)


def environment(config: BaseModel) -> list[dict[str, str]]:
    """Write settings as a container's variables: those that were given, by name."""
    given = config.model_dump(mode="json", exclude_unset=True)
    return [{"name": f"{ENVIRONMENT_PREFIX}{name.upper()}", "value": str(given[name])} for name in sorted(given)]


def _threads(pool: Pool) -> int | None:
    """A container sees all processors of its node: more threads than its limit only wait for each other."""
    cpu = (pool.resources.limits or {}).get("cpu")
    if cpu is None:
        return None
    return max(1, math.ceil(float(cpu[:-1]) / 1000 if cpu.endswith("m") else float(cpu)))
