"""`spec.network`: who may reach the pods, and what they may reach."""

from typing import Annotated

from pydantic import ConfigDict, Field

from whisper_operator.api.base import ApiModel, Cidr, LabelMap, rule, rules


class Peer(ApiModel):
    """Pods that may connect (https://kubernetes.io/docs/concepts/services-networking/network-policies/)."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.namespaceLabels) || has(self.podLabels)",
                "a peer needs namespaceLabels, podLabels or both; {} for all namespaces",
            )
        )
    )

    namespace_labels: LabelMap | None = Field(
        None, description="Labels of their namespaces; {} is every namespace, absent the resource's own."
    )
    pod_labels: LabelMap | None = Field(None, description="Labels of the pods; absent: every pod.")


class Destination(ApiModel):
    """An address that the pods may connect to."""

    cidr: Cidr = Field(description="For example 10.0.0.0/8.")
    ports: Annotated[tuple[Annotated[int, Field(ge=1, le=65535)], ...], Field(max_length=16)] = Field(
        (), description="TCP ports; empty is every port."
    )


class Network(ApiModel):
    """Who may reach the pods, and what they may reach. Needs a network plugin that enforces policies."""

    policies: bool = Field(default=True, description="Make NetworkPolicies: what is not allowed here is denied.")
    clients: Annotated[tuple[Peer, ...], Field(max_length=16)] = Field(
        (), description="Who may send requests; empty is everybody who has the key."
    )
    management: Annotated[tuple[Peer, ...], Field(max_length=16)] = Field(
        (),
        description="Who may read metrics; empty is every pod of the cluster. Probes are always allowed.",
    )
    egress: Annotated[tuple[Destination, ...], Field(max_length=16)] = Field(
        (), description="What the pods may reach besides DNS, and port 443 where the model comes from a hub."
    )
