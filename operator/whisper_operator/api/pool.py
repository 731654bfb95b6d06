"""`spec.pools[]`: pods on one kind of device."""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import ConfigDict, Field

from whisper_operator.api.affinity import Affinity
from whisper_operator.api.autoscaling import Autoscaling
from whisper_operator.api.base import ApiModel, ImageReference, LabelMap, Name, rule, rules

Device: TypeAlias = Literal["npu", "gpu", "cpu"]
Vendor: TypeAlias = Literal["intel", "nvidia"]

Quantity: TypeAlias = Annotated[str, Field(max_length=20, pattern=r"^[0-9]+([.][0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]

_Short: TypeAlias = Annotated[str, Field(max_length=316)]


_RESOURCES: Final = ("cpu", "memory", "ephemeral-storage")
_OURS: Final = (
    "WHISPER_ADVERTISED_HOST",
    "WHISPER_API_KEY",
    "WHISPER_API_KEY_FILE",
    "WHISPER_DEVICE",
    "WHISPER_HOST",
    "WHISPER_MANAGEMENT_HOST",
    "WHISPER_MANAGEMENT_PORT",
    "WHISPER_MODEL",
    "WHISPER_PORT",
)
"""Variables without which a pod would not be what its resource says."""


class Resources(ApiModel):
    """What a pod asks for; the device itself is added."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            *(
                rule(
                    f"!has(self.{part}) || self.{part}.all(name, name in {list(_RESOURCES)})",
                    f"{part} has {', '.join(_RESOURCES)}; the device is added, and resourceName says which",
                )
                for part in ("requests", "limits")
            )
        )
    )

    requests: Annotated[dict[_Short, Quantity], Field(max_length=16)] | None = Field(
        None, description="By default as much as the limits."
    )
    limits: Annotated[dict[_Short, Quantity], Field(max_length=16)] | None = Field(
        None, description='For example {cpu: "4", memory: 4Gi}.'
    )


class Toleration(ApiModel):
    """A taint that the pods may stand (https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/)."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("has(self.key) || self.operator == 'Exists'", "without a key a toleration needs operator: Exists"),
            rule(
                "self.operator != 'Exists' || !has(self.value)",
                "a toleration with operator: Exists stands every value; remove value",
            ),
            rule(
                "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
                "only a toleration with effect: NoExecute has tolerationSeconds",
            ),
        )
    )

    key: _Short | None = Field(None, description="Key of the taint; absent with operator Exists: every taint.")
    operator: Literal["Exists", "Equal"] = Field("Equal", description="Whether the value matters.")
    value: Annotated[str, Field(max_length=63)] | None = Field(None, description="Value of the taint.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Effect of the taint; absent: every effect."
    )
    toleration_seconds: int | None = Field(None, ge=0, description="How long NoExecute is stood.")


class EnvironmentVariable(ApiModel):
    """A variable for the server; not for secrets, which belong into a Secret."""

    name: Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = Field(description="Its name.")
    value: Annotated[str, Field(max_length=4096)] = Field(description="Its value.")


class ImagePullSecret(ApiModel):
    """A Secret with the registry's login."""

    name: Name = Field(description="Name of the Secret.")


class TopologySpread(ApiModel):
    """How pods spread; the pool's own labels are the selector."""

    topology_key: _Short = Field("kubernetes.io/hostname", description="The node label that tells places apart.")
    max_skew: int = Field(1, ge=1, description="How uneven it may be.")
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = Field(
        "ScheduleAnyway", description="What happens when it cannot be met."
    )


class Pool(ApiModel):
    """Pods on one kind of device."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("self.device == 'gpu' || !has(self.vendor)", "only a pool with device: gpu has a vendor; remove it"),
            rule("self.device != 'gpu' || has(self.vendor)", "a pool with device: gpu needs vendor: intel or nvidia"),
            rule(
                f"!has(self.env) || self.env.all(variable, !(variable.name in {list(_OURS)}))",
                f"env cannot set {', '.join(_OURS)}: other fields decide them",
            ),
            rule("self.device != 'cpu' || !has(self.resourceName)", "a CPU pool takes no resourceName; remove it"),
            rule("!has(self.replicas) || !has(self.autoscaling)", "write either replicas or autoscaling, not both"),
            rule(
                "self.device == 'cpu' || !has(self.autoscaling) || !has(self.autoscaling.cpu)",
                "the CPU says little about a pool on another device: aim at slotsInUse, queueAge or streamLoad",
            ),
        )
    )

    name: Annotated[str, Field(max_length=20, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")] = Field(
        description="Its name in children, status and metrics."
    )
    device: Device = Field(description="What its pods compute on; they refuse to start on anything else.")
    vendor: Vendor | None = Field(None, description="Who made the GPU.")
    resource_name: Annotated[str, Field(max_length=100, pattern=r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$")] | None = Field(
        None,
        description="The extended resource, where it is not npu.intel.com/accel, gpu.intel.com/xe or nvidia.com/gpu: "
        "for example gpu.intel.com/i915, nvidia.com/mig-1g.10gb or nvidia.com/gpu.shared.",
    )
    standby: bool = Field(
        default=False, description="Run only while an earlier pool cannot meet its replicas, and say so."
    )
    replicas: int | None = Field(
        None, ge=1, le=1000, description="Pods; by default 1. The first pool's count is spec.replicas."
    )
    autoscaling: Autoscaling | None = Field(None, description="Let the count follow the work, instead of replicas.")
    resources: Resources = Field(Resources(), description="CPU and memory of a pod.")
    image: ImageReference | None = Field(
        None, description="The server's image, instead of the operator's default for the device."
    )
    image_pull_secrets: Annotated[tuple[ImagePullSecret, ...], Field(max_length=8)] = Field(
        (), description="Logins for private registries."
    )
    node_selector: LabelMap = Field({}, description="Labels that a node must have.")
    affinity: Affinity | None = Field(
        None, description="Which nodes, and near or far from which pods: as Kubernetes has it."
    )
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=16)] = Field(
        (), description="Taints that the pods may stand, besides the device's own."
    )
    runtime_class_name: Name | None = Field(None, description="For example nvidia.")
    priority_class_name: Name | None = Field(None, description="Who goes first when a node is full.")
    env: Annotated[tuple[EnvironmentVariable, ...], Field(max_length=64)] = Field(
        (),
        description="More variables for the server, for example of docs/settings.md; they come before computed ones.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    pod_annotations: LabelMap = Field({}, description="Annotations of the pods.")
    topology_spread_constraints: Annotated[tuple[TopologySpread, ...], Field(max_length=4)] = Field(
        (TopologySpread(),), description="How pods spread over nodes and zones."
    )
