"""Services: one for all pools, one for each, and a headless one through which the pods are found."""

from typing import Any, Final

from whisper_contract.surface import HTTP_PORT, MANAGEMENT_PORT
from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.names import (
    Manifest,
    child_name,
    metadata,
    pool_name,
    pool_selector,
    scheme,
    service_name,
    serving_selector,
)

_PUBLISHED_PORTS: Final = {"http": 80, "https": 443}

HEADLESS_LABEL: Final = {"whisperoperator.dev/service": "pods"}
"""Tells Prometheus the one Service, of several, through which each pod is read once."""


def build_services(owner: WhisperDeployment) -> tuple[Manifest, ...]:
    """Build them all."""
    name = owner.metadata.name
    everyone = serving_selector(name)
    port = _port(owner, published_port(owner))
    shared = _service(owner, service_name(name), everyone, {"ports": [port]})
    pools = (
        _service(owner, pool_name(name, pool.name), pool_selector(name, pool.name), {"ports": [port]})
        for pool in owner.spec.pools
    )
    return (shared, *pools, _headless(owner, everyone))


def published_port(owner: WhisperDeployment) -> int:
    """Return where clients in the cluster, and routes from outside, find the server."""
    return _PUBLISHED_PORTS[scheme(owner)]


def headless_name(owner: str) -> str:
    """Return the name of the Service through which each pod is found."""
    return child_name(owner, "pods")


def _port(owner: WhisperDeployment, number: int) -> dict[str, Any]:
    spoken = scheme(owner)
    return {"name": spoken, "port": number, "targetPort": spoken, "protocol": "TCP", "appProtocol": spoken}


def _headless(owner: WhisperDeployment, selector: dict[str, str]) -> Manifest:
    """Pods are found here before they are ready, too: their management port tells why they are not."""
    ports = [
        _port(owner, HTTP_PORT),
        {"name": "management", "port": MANAGEMENT_PORT, "targetPort": "management", "protocol": "TCP"},
    ]
    spec = {"clusterIP": "None", "publishNotReadyAddresses": True, "ports": ports}
    return _service(owner, headless_name(owner.metadata.name), selector, spec, HEADLESS_LABEL)


def _service(
    owner: WhisperDeployment,
    name: str,
    selector: dict[str, str],
    spec: dict[str, Any],
    labels: dict[str, str] | None = None,
) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(owner, name, labels),
        "spec": {"type": "ClusterIP", "selector": selector, **spec},
    }
