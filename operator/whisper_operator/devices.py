"""The table of devices: what a pod asks Kubernetes for, which engine runs there, and how long a start may take."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from whisper_operator.api.pool import Device, Pool, Vendor

EngineName: TypeAlias = Literal["openvino", "pytorch"]


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """What one kind of device needs.

    Nodes are not chosen by label: a pod that asks for the extended resource lands where one is allocatable, also on
    parts that no labeller knows yet.
    """

    resource_name: str | None
    """Extended resource that is asked for unless the pool names another; `None` on a CPU."""
    engine: EngineName
    startup: timedelta
    """How long loading and compiling may take before a start counts as failed."""
    taint: str | None = None
    """Key of the taint that such nodes usually have."""
    render_group: bool = False
    """The device file belongs to the host's render group."""


_PROFILES: Final[Mapping[tuple[Device, Vendor | None], DeviceProfile]] = MappingProxyType(
    {
        # Compiling a large model for the NPU has taken more than 11 minutes.
        ("npu", None): DeviceProfile(
            "npu.intel.com/accel", "openvino", timedelta(minutes=25), "npu.intel.com/accel", render_group=True
        ),
        ("gpu", "intel"): DeviceProfile(
            "gpu.intel.com/xe",
            "openvino",
            timedelta(minutes=15),
            "gpu.intel.com/i915",
            render_group=True,
        ),
        ("gpu", "nvidia"): DeviceProfile("nvidia.com/gpu", "pytorch", timedelta(minutes=15), "nvidia.com/gpu"),
        ("cpu", None): DeviceProfile(None, "openvino", timedelta(minutes=15)),
    }
)


def profile_of(pool: Pool) -> DeviceProfile:
    """Return the profile of a pool's device."""
    return _PROFILES[pool.device, pool.vendor]


def resource_of(pool: Pool) -> str | None:
    """Return the extended resource that a pod of the pool asks one of; `None` on a CPU."""
    return pool.resource_name or profile_of(pool).resource_name


def tolerations_of(pool: Pool) -> list[dict[str, Any]]:
    """Return the tolerations for the taints that such nodes usually have."""
    taint = profile_of(pool).taint
    return [{"key": taint, "operator": "Exists", "effect": "NoSchedule"}] if taint else []
