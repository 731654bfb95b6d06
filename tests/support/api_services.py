"""APIs that a program beside the API server serves, and that clients reach through it.

https://kubernetes.io/docs/concepts/extend-kubernetes/api-extension/apiserver-aggregation/
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.support.patience import eventually
from tests.support.site import Site

_PORT: Final = 6443
"""Where the program listens."""
_RIGHTS: Final = "rbac.authorization.k8s.io"


def serving_options(certificates: Path) -> str:
    """Return what such a program is told on a shell's line: where it serves, and whom it asks who its callers are."""
    asks = " ".join(f"--{what}-kubeconfig=$KUBECONFIG" for what in ("lister", "authentication", "authorization"))
    return f"--secure-port={_PORT} --cert-dir={certificates} {asks}"


@contextmanager
def registered(site: Site, group: str, version: str) -> Iterator[None]:
    """Let the cluster have the API while the block runs; wait until it answers."""
    try:
        for each in (_service(site.namespace, group), _registration(site.namespace, group, version), *_rights(group)):
            site.apply(each)
        eventually(lambda: site.shell(f"kubectl get --raw /apis/{group}/{version}"))
        yield
    finally:
        name = _name(group)
        names = f"apiservice/{version}.{group} service/{name} clusterrole/{name} clusterrolebinding/{name}"
        site.shell(f"kubectl delete --ignore-not-found {names}")


def _name(group: str) -> str:
    return group.replace(".", "-")


def _service(namespace: str, group: str) -> dict[str, Any]:
    # Beside the API server: https://kubernetes.io/docs/concepts/services-networking/service/#externalname
    spec = {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": _PORT}]}
    place = {"name": _name(group), "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Service", "metadata": place, "spec": spec}


def _registration(namespace: str, group: str, version: str) -> dict[str, Any]:
    spec = {
        "service": {"name": _name(group), "namespace": namespace, "port": _PORT},
        "group": group,
        "version": version,
        "insecureSkipTLSVerify": True,
        "groupPriorityMinimum": 100,
        "versionPriority": 200,
    }
    name = {"name": f"{version}.{group}"}
    return {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": name, "spec": spec}


def _rights(group: str) -> Iterator[dict[str, Any]]:
    """Let everybody read: who asks for autoscalers is the API server, whose certificate nobody here has signed."""
    rights = {"apiVersion": f"{_RIGHTS}/v1", "metadata": {"name": _name(group)}}
    role = {"apiGroup": _RIGHTS, "kind": "ClusterRole", "name": _name(group)}
    anybody = {"apiGroup": _RIGHTS, "kind": "User", "name": "system:anonymous"}
    metrics = {"apiGroups": [group], "resources": ["*"], "verbs": ["get", "list"]}
    # Also what there is: without it the API server takes the program for one that is not there.
    names = {"nonResourceURLs": ["/apis/*"], "verbs": ["get"]}
    yield rights | {"kind": "ClusterRole", "rules": [metrics, names]}
    yield rights | {"kind": "ClusterRoleBinding", "roleRef": role, "subjects": [anybody]}
