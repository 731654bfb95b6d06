"""`status`: what is there, written by the operator."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from whisper_operator.api.base import ApiModel
from whisper_operator.api.pool import Device

ConditionStatus: TypeAlias = Literal["True", "False", "Unknown"]

_Text: TypeAlias = Annotated[str, Field(max_length=1024)]


class Condition(ApiModel):
    """A fact about the resource, as Kubernetes writes them (API conventions, typical status properties)."""

    type: Annotated[str, Field(max_length=316)] = Field(description="What it is about.")
    status: ConditionStatus = Field(description="Whether it is so.")
    reason: Annotated[str, Field(max_length=1024)] = Field(description="Why, as one word; docs/operations.md has all.")
    message: Annotated[str, Field(max_length=32768)] = Field(description="Why, and what to do, for people.")
    last_transition_time: datetime = Field(description="When status last changed.")
    observed_generation: int = Field(ge=0, description="The generation that it is about.")


class PoolStatus(ApiModel):
    """What a pool has."""

    name: Annotated[str, Field(max_length=20)] = Field(description="The pool.")
    device: Device = Field(description="Its device.")
    desired: int = Field(ge=0, description="Pods that it should run now; 0 for a standby that is not needed.")
    ready: int = Field(ge=0, description="Pods that answer.")
    serving: bool = Field(description="It meets its replicas; while it rolls, old pods count.")
    since: datetime = Field(description="Since when it does, or does not.")
    stands_in_for: _Text | None = Field(None, description="The pool that this standby replaces now.")
    slots: int | None = Field(None, ge=0, description="Rows of the decoder batches of its pods.")
    slots_in_use: int | None = Field(None, ge=0, description="How many of them are taken, in steps of an eighth.")
    stream_slots: int | None = Field(
        None,
        ge=0,
        description="Streams of live speech that they could follow, as they measure, give or take an eighth.",
    )
    streams: int | None = Field(None, ge=0, description="How many they have, in steps of an eighth.")
    reason: _Text | None = Field(None, description="What keeps its pods from being ready, as one word.")
    message: _Text | None = Field(None, description="The same for people.")


class WhisperDeploymentStatus(ApiModel):
    """What is there."""

    observed_generation: int = Field(0, ge=0, description="The generation of the spec that this is about.")
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = Field(
        (),
        description="Facts about the resource.",
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        },
    )
    pools: Annotated[tuple[PoolStatus, ...], Field(max_length=8)] = Field((), description="The pools in order.")
    pools_summary: _Text | None = Field(None, description="The pools in a line: npu 2/2, cpu 0/0.")
    capacity: int | None = Field(None, ge=0, description="Streams that the pods could follow, as they measure.")
    usage: int | None = Field(None, ge=0, description="How many they have, as the last resync saw it.")
    replicas: int = Field(0, ge=0, description="Pods of the first pool.")
    selector: _Text | None = Field(None, description="The labels of the first pool's pods, for autoscalers.")
    url: _Text | None = Field(None, description="Where clients in the cluster reach the server.")
