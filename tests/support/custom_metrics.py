"""Custom metrics of a cluster: SIG Instrumentation's test adapter, told what pods publish as Prometheus would have it.

https://github.com/kubernetes-sigs/custom-metrics-apiserver/tree/master/test-adapter
"""

import json
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.support.kubernetes_programs import ADAPTER, find_programs
from tests.support.patience import eventually
from tests.support.site import Site

_GROUP: Final = "custom.metrics.k8s.io"
_VERSION: Final = "v1beta2"
_NAME: Final = "custom-metrics"
_PORT: Final = 6443
_WRITE: Final = "http://127.0.0.1:8080/write-metrics"
_LOOKS_BACK_SECONDS: Final = 15
"""The most of so long counts, as with `max_over_time`: requests begin and end between two looks."""


class CustomMetrics:
    """Remembers what pods publish, and writes it into the adapter."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._seen: dict[str, deque[tuple[float, float]]] = {}

    def tell(self, metric: str, figures: Mapping[str, float]) -> None:
        """Take in what each pod publishes now, and tell the most of the last seconds."""
        now = time.monotonic()
        for pod, value in figures.items():
            seen = self._seen.setdefault(pod, deque())
            seen.append((now, value))
            while seen[0][0] < now - _LOOKS_BACK_SECONDS:
                seen.popleft()
            most = max(value for _, value in seen)
            path = f"{_WRITE}/namespaces/{self._site.namespace}/pods/{pod}/{metric}"
            self._site.shell(
                f"curl -sS --fail -X POST -H 'Content-Type: application/json' -d @- {path}", json.dumps(f"{most:g}")
            )


@contextmanager
def custom_metrics(site: Site, folder: Path) -> Iterator[CustomMetrics]:
    """Serve them to the cluster's autoscalers while the block runs."""
    program = find_programs(ADAPTER)["test-adapter"]
    uses = " ".join(f"--{what}-kubeconfig=$KUBECONFIG" for what in ("lister", "authentication", "authorization"))
    command = f"exec {program} --secure-port={_PORT} --cert-dir={folder} {uses}"
    with site.beside(folder / "adapter.log", "bash", "-c", command):
        try:
            for each in (_service(site.namespace), _registration(site.namespace), *_rights()):
                site.apply(each)
            eventually(lambda: site.shell(f"kubectl get --raw /apis/{_GROUP}/{_VERSION}"))
            yield CustomMetrics(site)
        finally:
            names = f"apiservice/{_VERSION}.{_GROUP} service/{_NAME} clusterrole/{_NAME} clusterrolebinding/{_NAME}"
            site.shell(f"kubectl delete --ignore-not-found {names}")


def _service(namespace: str) -> dict[str, Any]:
    # Beside the API server: https://kubernetes.io/docs/concepts/services-networking/service/#externalname
    spec = {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": _PORT}]}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": _NAME, "namespace": namespace},
        "spec": spec,
    }


def _registration(namespace: str) -> dict[str, Any]:
    spec = {
        "service": {"name": _NAME, "namespace": namespace, "port": _PORT},
        "group": _GROUP,
        "version": _VERSION,
        "insecureSkipTLSVerify": True,
        "groupPriorityMinimum": 100,
        "versionPriority": 200,
    }
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"{_VERSION}.{_GROUP}"},
        "spec": spec,
    }


def _rights() -> Iterator[dict[str, Any]]:
    """Let everybody read: who asks for autoscalers is the API server, whose certificate nobody here has signed."""
    rights = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": _NAME}}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": _NAME}
    anybody = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "system:anonymous"}
    metrics = {"apiGroups": [_GROUP], "resources": ["*"], "verbs": ["get"]}
    # Also what there is: without it the API server takes the adapter for one that is not there.
    names = {"nonResourceURLs": ["/apis/*"], "verbs": ["get"]}
    yield rights | {"kind": "ClusterRole", "rules": [metrics, names]}
    yield rights | {"kind": "ClusterRoleBinding", "roleRef": role, "subjects": [anybody]}
