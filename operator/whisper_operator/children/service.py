"""Services: one for all pools, one for each, and a headless one through which the pods are found."""

from typing import Any

from whisper_contract.surface import HTTP_PORT, MANAGEMENT_PORT
from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.names import (
    Manifest,
    child_name,
    metadata,
    pool_name,
    pool_selector,
    service_name,
    serving_selector,
)

_PUBLISHED_PORT = 80


def build_services(owner: WhisperDeployment) -> tuple[Manifest, ...]:
    """Build them all."""
    name = owner.metadata.name
    everyone = serving_selector(name)
    port = {"name": "http", "port": _PUBLISHED_PORT, "targetPort": "http", "protocol": "TCP", "appProtocol": "http"}
    shared = _service(owner, service_name(name), everyone, {"ports": [port]})
    pools = (
        _service(owner, pool_name(name, pool.name), pool_selector(name, pool.name), {"ports": [port]})
        for pool in owner.spec.pools
    )
    return (shared, *pools, _headless(owner, everyone))


def _headless(owner: WhisperDeployment, selector: dict[str, str]) -> Manifest:
    """Pods are found here before they are ready, too: their management port tells why they are not."""
    ports = [
        {"name": "http", "port": HTTP_PORT, "targetPort": "http", "protocol": "TCP", "appProtocol": "http"},
        {"name": "management", "port": MANAGEMENT_PORT, "targetPort": "management", "protocol": "TCP"},
    ]
    spec = {"clusterIP": "None", "publishNotReadyAddresses": True, "ports": ports}
    return _service(owner, child_name(owner.metadata.name, "pods"), selector, spec)


def _service(owner: WhisperDeployment, name: str, selector: dict[str, str], spec: dict[str, Any]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(owner, name),
        "spec": {"type": "ClusterIP", "selector": selector, **spec},
    }
