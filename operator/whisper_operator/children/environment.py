"""What a pod's server is told, in the words of the contract."""

import json
import math
from typing import Any, Final

from pydantic import BaseModel

from whisper_contract.runtime import ENVIRONMENT_PREFIX, RuntimeConfig
from whisper_contract.surface import HTTP_PORT, MANAGEMENT_PORT
from whisper_operator.api.base import duration, size_bytes
from whisper_operator.api.pool import Pool
from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.api.spec import Api
from whisper_operator.children.audit import audit_settings
from whisper_operator.children.credentials import (
    ACCOUNTS_FILE,
    ADMIN_PASSWORD,
    API_KEY,
    SECRET_KEY,
    SECRET_KEY_PREVIOUS,
)
from whisper_operator.children.jobs import job_settings
from whisper_operator.children.redis import URL
from whisper_operator.children.streams import stream_settings
from whisper_operator.children.tls import tls_settings
from whisper_operator.children.volumes import CACHE_FOLDER, CREDENTIALS_FOLDER, REDIS_FOLDER, model_location
from whisper_operator.devices import profile_of

LEAVING_SECONDS: Final = 5
"""How long a pod that stops still takes requests: Services and load balancers hear of it this late.

It is the server that waits, and no `preStop`: only who knows that it stops can tell clients to keep no connection.
"""
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
        "accounts_file": f"{CREDENTIALS_FOLDER}/{ACCOUNTS_FILE}",
        "secret_key_file": f"{CREDENTIALS_FOLDER}/{SECRET_KEY}",
        "secret_key_previous_file": f"{CREDENTIALS_FOLDER}/{SECRET_KEY_PREVIOUS}",
        "admin_password_file": f"{CREDENTIALS_FOLDER}/{ADMIN_PASSWORD}",
        "session_idle_seconds": duration(spec.sessions.idle_timeout).total_seconds(),
        "session_absolute_seconds": duration(spec.sessions.absolute_timeout).total_seconds(),
        **_limits(spec.api),
        "stream_token_seconds": duration(spec.sessions.stream_token_lifetime).total_seconds(),
        "session_retention_seconds": duration(spec.sessions.retention).total_seconds(),
        "max_upload_bytes": size_bytes(spec.api.max_upload_size),
        "max_audio_seconds": duration(spec.api.max_audio_duration).total_seconds(),
        "max_connections": spec.api.max_connections,
        "cache_dir": CACHE_FOLDER,
        "leaving_seconds": LEAVING_SECONDS,
        "drain_seconds": DRAIN_SECONDS,
        "log_format": "json",
        **audit_settings(owner),
        **stream_settings(spec.streams),
    } | job_settings(spec)
    if spec.log_level is not None:
        settings["log_level"] = spec.log_level
    if hub is not None:
        settings["revision"] = hub.revision
    if spec.api.legacy:
        settings["legacy"] = True
    lists = {"trusted_proxies": spec.api.trusted_proxies, "cors_origins": spec.api.cors_origins}
    settings |= {name: values for name, values in lists.items() if values}
    if spec.redis is not None:
        settings["redis_url_file"] = f"{REDIS_FOLDER}/{URL}"
    settings |= tls_settings(owner)
    threads = _threads(pool)
    if threads is not None:
        settings["threads"] = threads
    return RuntimeConfig.model_validate(settings)


def environment(config: BaseModel) -> list[dict[str, str]]:
    """Write settings as a container's variables: those that were given, by name."""
    given = config.model_dump(mode="json", exclude_unset=True)
    return [{"name": f"{ENVIRONMENT_PREFIX}{name.upper()}", "value": _text(given[name])} for name in sorted(given)]


def _limits(api: Api) -> dict[str, Any]:
    """Return how often, and how much, each who asks may."""
    rates = {f"rate_{name}": rate for name, rate in api.rate_limits.model_dump().items()}
    return rates | api.quotas.model_dump(exclude_none=True)


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, list) else str(value)


def _threads(pool: Pool) -> int | None:
    """A container sees all processors of its node: more threads than its limit only wait for each other."""
    cpu = (pool.resources.limits or {}).get("cpu")
    if cpu is None:
        return None
    return max(1, math.ceil(float(cpu[:-1]) / 1000 if cpu.endswith("m") else float(cpu)))
