"""From a pool's pod template to what a process on this machine needs. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from whisper_contract.runtime import ENVIRONMENT_PREFIX
from whisper_operator.children.names import Manifest
from whisper_operator.children.tls import CLIENT_CA_FOLDER, TLS_FOLDER
from whisper_operator.children.volumes import CACHE_FOLDER, CREDENTIALS_FOLDER, REDIS_FOLDER

_NOT_HERE: Final = (REDIS_FOLDER, TLS_FOLDER, CLIENT_CA_FOLDER)
"""Somebody's Secrets."""
_NOBODY_HERE: Final = (f"{ENVIRONMENT_PREFIX}AUDIT_SYSLOG_", f"{ENVIRONMENT_PREFIX}AUDIT_HTTP_")
"""Begin the names of what a SIEM needs."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where this machine has what a pod has in its volumes and its image."""

    cache: Path
    credentials: Path
    models: Mapping[str, Path]
    """Paths in the server's image, and where they are here."""


@dataclass(frozen=True, slots=True)
class LocalPod:
    """A pool's pod as processes: those that run first, one after another, and the server."""

    preparations: tuple[tuple[str, ...], ...]
    """Arguments of `whisper-inference`."""
    arguments: tuple[str, ...]
    environment: Mapping[str, str]


def local_pod(deployment: Manifest, machine: Machine, ports: tuple[int, int]) -> LocalPod:
    """Translate a Deployment's pod: the same arguments and variables, with this machine's paths and ports.

    Args:
        deployment: The pool's Deployment.
        machine: Where this machine has things.
        ports: To listen on, on loopback: the server's and the management's.
    """
    spec = deployment["spec"]["template"]["spec"]
    server = spec["containers"][0]
    here = {
        "HOST": "127.0.0.1",
        "MANAGEMENT_HOST": "127.0.0.1",
        "PORT": str(ports[0]),
        "MANAGEMENT_PORT": str(ports[1]),
        # The front door knows at once which server stays.
        "LEAVING_SECONDS": "0",
        # A person reads it, not a collector.
        "LOG_FORMAT": "text",
    }
    quiet = {f"{ENVIRONMENT_PREFIX}LOG_LEVEL": "warning"}
    environment = (
        quiet | _environment(server, machine) | {f"{ENVIRONMENT_PREFIX}{name}": value for name, value in here.items()}
    )
    first = spec.get("initContainers", ())
    return LocalPod(
        preparations=tuple(tuple(container["args"]) for container in first),
        arguments=tuple(server["args"]),
        environment=environment | {key: value for each in first for key, value in _environment(each, machine).items()},
    )


def _environment(container: Mapping[str, Any], machine: Machine) -> dict[str, str]:
    """Return a container's variables but those that name what is not here: a Redis, a SIEM, an address."""
    given = {each["name"]: each["value"] for each in container.get("env", ()) if "value" in each}
    variables = {name: _translated(value, machine) for name, value in given.items()}
    return {
        name: value
        for name, value in variables.items()
        if not (value.startswith(_NOT_HERE) or name.startswith(_NOBODY_HERE))
    }


def _translated(value: str, machine: Machine) -> str:
    folders = {CACHE_FOLDER: machine.cache, CREDENTIALS_FOLDER: machine.credentials, **machine.models}
    for inside, here in folders.items():
        if value == inside or value.startswith(f"{inside}/"):
            return f"{here}{value[len(inside) :]}"
    return value
