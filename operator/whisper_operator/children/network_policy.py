"""NetworkPolicies: everything is denied but clients, the management port inside the cluster, DNS and what is asked for.

Kubelets are not named: a node always reaches its own pods.
"""

from collections.abc import Sequence
from typing import Any, Final

from whisper_contract.surface import HTTP_PORT, MANAGEMENT_PORT
from whisper_operator.api.network import Destination, Peer
from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.jobs import webhook_egress
from whisper_operator.children.names import Manifest, child_name, metadata, serving_selector
from whisper_operator.children.redis import REDIS_PORT, managed_redis, redis_selector
from whisper_operator.defaults import Defaults

_ANY_POD: Final = (Peer(namespace_labels={}),)
_DNS: Final = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}
_HUB: Final = {"ports": [{"protocol": "TCP", "port": 443}]}


def build_network_policies(owner: WhisperDeployment, defaults: Defaults) -> tuple[Manifest, ...]:
    """Build the policy of the pods of all pools, unless it is not wanted."""
    network = owner.spec.network
    if not network.policies:
        return ()
    hub = [_HUB] if owner.spec.model.source.hugging_face is not None else []
    name = owner.metadata.name
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(owner, child_name(name, "pods")),
        "spec": {
            "podSelector": {"matchLabels": serving_selector(name)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                # Without peers everybody may: an ingress controller on the host's network is no pod to a policy.
                _ingress(HTTP_PORT, network.clients),
                *_from_replicas(owner),
                _ingress(
                    MANAGEMENT_PORT, (*network.management, *_operator(defaults)) if network.management else _ANY_POD
                ),
            ],
            "egress": [
                _DNS,
                *hub,
                *_redis(owner),
                *_to_replicas(owner),
                *webhook_egress(owner.spec),
                *(_egress(each) for each in (*defaults.pod_egress, *network.egress)),
            ],
        },
    }
    return (policy,)


def _redis(owner: WhisperDeployment) -> list[dict[str, Any]]:
    if managed_redis(owner) is None:
        return []
    own = {"podSelector": {"matchLabels": redis_selector(owner.metadata.name)}}
    return [{"ports": [{"protocol": "TCP", "port": REDIS_PORT}], "to": [own]}]


def _from_replicas(owner: WhisperDeployment) -> list[dict[str, Any]]:
    """Where clients are named, pods are some; where they are not, everybody may."""
    return [_replicas(owner, "from")] if owner.spec.redis is not None and owner.spec.network.clients else []


def _to_replicas(owner: WhisperDeployment) -> list[dict[str, Any]]:
    """Pods that share a Redis hand requests to each other."""
    return [] if owner.spec.redis is None else [_replicas(owner, "to")]


def _replicas(owner: WhisperDeployment, direction: str) -> dict[str, Any]:
    others = {"podSelector": {"matchLabels": serving_selector(owner.metadata.name)}}
    return {"ports": [{"protocol": "TCP", "port": HTTP_PORT}], direction: [others]}


def _operator(defaults: Defaults) -> tuple[Peer, ...]:
    """The operator asks pods how busy they are."""
    if defaults.own_namespace is None:
        return ()
    return (Peer(namespace_labels={"kubernetes.io/metadata.name": defaults.own_namespace}),)


def _ingress(port: int, peers: Sequence[Peer]) -> dict[str, Any]:
    ports = [{"protocol": "TCP", "port": port}]
    return {"ports": ports} | ({"from": [_peer(peer) for peer in peers]} if peers else {})


def _peer(peer: Peer) -> dict[str, Any]:
    labels = {"namespaceSelector": peer.namespace_labels, "podSelector": peer.pod_labels}
    return {name: _selector(wanted) for name, wanted in labels.items() if wanted is not None}


def _selector(labels: dict[str, str]) -> dict[str, Any]:
    return {"matchLabels": dict(labels)} if labels else {}


def _egress(destination: Destination) -> dict[str, Any]:
    ports = [{"protocol": "TCP", "port": port} for port in destination.ports]
    return {"to": [{"ipBlock": {"cidr": destination.cidr}}]} | ({"ports": ports} if ports else {})
