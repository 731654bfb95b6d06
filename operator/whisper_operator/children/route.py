"""The way in from outside the cluster: an Ingress, or a route of the Gateway API."""

from typing import Any, Final

from whisper_operator.api.base import size_bytes
from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.api.route import Route
from whisper_operator.api.spec import WhisperDeploymentSpec
from whisper_operator.children.names import Manifest, child_name, metadata, service_name
from whisper_operator.children.service import published_port

_LONGEST_ANSWER_SECONDS: Final = 600
_FORM_BYTES: Final = 2**20
"""More than the form around an upload has."""


def build_route(owner: WhisperDeployment) -> tuple[Manifest, ...]:
    """Build it, where one is asked for."""
    route = owner.spec.route
    if route is None:
        return ()
    return (_ingress(owner, route) if route.kind == "ingress" else _http_route(owner, route),)


def _ingress(owner: WhisperDeployment, route: Route) -> Manifest:
    # The most common controller refuses bodies over 1 MiB and answers that take a minute, unless it is told.
    told = {
        "nginx.ingress.kubernetes.io/proxy-body-size": str(_largest_body(owner.spec)),
        "nginx.ingress.kubernetes.io/proxy-read-timeout": str(_LONGEST_ANSWER_SECONDS),
    }
    if owner.spec.tls is not None:
        told["nginx.ingress.kubernetes.io/backend-protocol"] = "HTTPS"
    backend = {"service": {"name": service_name(owner.metadata.name), "port": {"number": published_port(owner)}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    spec: dict[str, Any] = {"rules": [{"host": route.host, "http": {"paths": paths}}]}
    if route.ingress_class_name is not None:
        spec["ingressClassName"] = route.ingress_class_name
    if route.tls_secret_name is not None:
        spec["tls"] = [{"hosts": [route.host], "secretName": route.tls_secret_name}]
    whole = _metadata(owner, told | route.annotations)
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": whole, "spec": spec}


def _largest_body(spec: WhisperDeploymentSpec) -> int:
    """What the servers themselves would take; they say what is wrong with more, and a proxy does not."""
    uploads = (spec.api.max_upload_size, spec.jobs.max_upload_size)
    return max(map(size_bytes, uploads)) + _FORM_BYTES


def _http_route(owner: WhisperDeployment, route: Route) -> Manifest:
    parents = [] if route.gateway is None else [route.gateway.model_dump(by_alias=True, exclude_none=True)]
    spec = {
        "parentRefs": parents,
        "hostnames": [route.host],
        "rules": [
            {
                "backendRefs": [{"name": service_name(owner.metadata.name), "port": published_port(owner)}],
                "timeouts": {"request": f"{_LONGEST_ANSWER_SECONDS}s"},
            }
        ],
    }
    whole = _metadata(owner, route.annotations)
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": whole, "spec": spec}


def _metadata(owner: WhisperDeployment, annotations: dict[str, str]) -> dict[str, Any]:
    whole = metadata(owner, child_name(owner.metadata.name, "route"))
    return whole | ({"annotations": annotations} if annotations else {})
