"""WhisperDeployments for tests, and the states of their Deployments and pods."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from whisper_operator.api.base import API_VERSION, KIND
from whisper_operator.api.resource import WhisperDeployment, parse
from whisper_operator.children.build import Checksums, build_children
from whisper_operator.children.names import Manifest, owner_labels, pool_name, pool_selector
from whisper_operator.defaults import Defaults
from whisper_operator.plan import plan_pools

DEFAULTS: Final = Defaults("whisper:openvino", "whisper:pytorch", (109,))

START: Final = datetime(2026, 1, 1, tzinfo=UTC)

NPU: Final[dict[str, Any]] = {"name": "npu", "device": "npu"}
NVIDIA: Final[dict[str, Any]] = {"name": "gpu", "device": "gpu", "vendor": "nvidia"}
CPU: Final[dict[str, Any]] = {"name": "cpu", "device": "cpu"}
STANDBY: Final[dict[str, Any]] = {"name": "cpu", "device": "cpu", "standby": True, "replicas": 2}

SECRET_DATA: Final = {"API_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
"""32 characters."""


def manifest(name: str = "live", **spec: Any) -> Manifest:  # noqa: ANN401 - fields of a spec
    """A resource as a person writes it: the demo model, unless told otherwise."""
    model = {"name": "demo", "source": {"path": "/models/demo"}}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"model": model, **spec},
    }


def resource(name: str = "live", **spec: Any) -> WhisperDeployment:  # noqa: ANN401 - fields of a spec
    """The same, read."""
    written = manifest(name, **spec)
    return parse(written | {"metadata": written["metadata"] | {"uid": "uid-of-owner", "generation": 1}})


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


def let_pods_be_ready(deployment: Manifest, ready: int | None = None) -> None:
    """Give a Deployment the status that its controller would, with so many pods ready: by default all."""
    replicas = deployment["spec"]["replicas"]
    deployment["status"] = {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": replicas,
        "updatedReplicas": replicas,
        "readyReplicas": replicas if ready is None else ready,
    }


def pod(owner: str, pool: str, status: Manifest, name: str = "pod") -> Manifest:
    """A pod of a pool in some state."""
    labels = owner_labels(owner) | pool_selector(owner, pool)
    return {"kind": "Pod", "metadata": {"name": name, "namespace": "default", "labels": labels}, "status": status}


def unschedulable(message: str) -> Manifest:
    """The status of a pod that no node takes."""
    return {"conditions": [{"type": "PodScheduled", "status": "False", "message": message}]}


def deployment_name(pool: str, owner: str = "live") -> str:
    """The name of a pool's Deployment."""
    return pool_name(owner, pool)


def children_of(owner: WhisperDeployment) -> list[Manifest]:
    """All children at the first pass."""
    plan = plan_pools(owner.spec, {}, (), START)
    checksums = Checksums({pool.name: "sum" for pool in owner.spec.pools}, "sum")
    return list(build_children(owner, plan, DEFAULTS, checksums))
