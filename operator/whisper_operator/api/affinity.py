"""`spec.pools[].affinity`, as Kubernetes has it.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#affinity-and-anti-affinity
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from whisper_operator.api.base import ApiModel, LabelMap, Name

_Label: TypeAlias = Annotated[str, Field(max_length=316)]
_Value: TypeAlias = Annotated[str, Field(max_length=253)]
_Weight: TypeAlias = Annotated[int, Field(ge=1, le=100)]


class NodeRequirement(ApiModel):
    """What a node's label, or field, must be."""

    key: _Label = Field(description="The label.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = Field(description="How it is compared.")
    values: Annotated[tuple[_Value, ...], Field(max_length=32)] = Field((), description="With what.")


class NodeTerm(ApiModel):
    """Requirements that hold together."""

    match_expressions: Annotated[tuple[NodeRequirement, ...], Field(max_length=16)] = Field(
        (), description="Of the node's labels."
    )
    match_fields: Annotated[tuple[NodeRequirement, ...], Field(max_length=4)] = Field(
        (), description="Of the node's fields."
    )


class NodeTerms(ApiModel):
    """Terms of which one must hold."""

    node_selector_terms: Annotated[tuple[NodeTerm, ...], Field(min_length=1, max_length=8)] = Field(
        description="The terms."
    )


class PreferredNode(ApiModel):
    """A term that makes a node better."""

    weight: _Weight = Field(description="How much better, 1 to 100.")
    preference: NodeTerm = Field(description="The term.")


class NodeAffinity(ApiModel):
    """Which nodes."""

    required_during_scheduling_ignored_during_execution: NodeTerms | None = Field(
        None, description="What a node must have."
    )
    preferred_during_scheduling_ignored_during_execution: Annotated[tuple[PreferredNode, ...], Field(max_length=8)] = (
        Field((), description="What makes it better.")
    )


class LabelRequirement(ApiModel):
    """What a label must be."""

    key: _Label = Field(description="The label.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(description="How it is compared.")
    values: Annotated[tuple[_Value, ...], Field(max_length=32)] = Field((), description="With what.")


class LabelSelector(ApiModel):
    """Objects by their labels."""

    match_labels: LabelMap = Field({}, description="Labels that they have.")
    match_expressions: Annotated[tuple[LabelRequirement, ...], Field(max_length=8)] = Field(
        (), description="Requirements that hold together."
    )


class PodTerm(ApiModel):
    """Pods to be near to, or far from."""

    topology_key: _Label = Field(description="The node label that tells places apart.")
    label_selector: LabelSelector | None = Field(None, description="Which pods; absent: none.")
    namespaces: Annotated[tuple[Name, ...], Field(max_length=16)] = Field(
        (), description="Their namespaces; by default the resource's own."
    )
    namespace_selector: LabelSelector | None = Field(None, description="Their namespaces, by label.")


class PreferredPods(ApiModel):
    """A term that makes a place better."""

    weight: _Weight = Field(description="How much better, 1 to 100.")
    pod_affinity_term: PodTerm = Field(description="The term.")


class PodAffinity(ApiModel):
    """Near which pods, or far from which."""

    required_during_scheduling_ignored_during_execution: Annotated[tuple[PodTerm, ...], Field(max_length=8)] = Field(
        (), description="What a place must have."
    )
    preferred_during_scheduling_ignored_during_execution: Annotated[tuple[PreferredPods, ...], Field(max_length=8)] = (
        Field((), description="What makes it better.")
    )


class Affinity(ApiModel):
    """Which nodes, and near or far from which pods."""

    node_affinity: NodeAffinity | None = Field(None, description="Which nodes.")
    pod_affinity: PodAffinity | None = Field(None, description="Near which pods.")
    pod_anti_affinity: PodAffinity | None = Field(None, description="Far from which pods.")
