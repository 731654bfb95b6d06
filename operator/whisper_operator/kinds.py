"""The kinds of objects that the operator reads and writes, and where the API server keeps them."""

from dataclasses import dataclass
from typing import Final

from whisper_operator.api.base import API_VERSION, KIND, PLURAL


@dataclass(frozen=True, slots=True)
class Kind:
    """A namespaced kind."""

    api_version: str
    name: str
    plural: str

    @property
    def group(self) -> str:
        """Its API group; empty for the core."""
        return self.api_version.rpartition("/")[0]

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """Return the path of one object, of all in a namespace, or of all."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        folder = f"{root}/{self.plural}" if namespace is None else f"{root}/namespaces/{namespace}/{self.plural}"
        return folder if name is None else f"{folder}/{name}"


OWNER: Final = Kind(API_VERSION, KIND, PLURAL)
POD: Final = Kind("v1", "Pod", "pods")
EVENT: Final = Kind("v1", "Event", "events")
SECRET: Final = Kind("v1", "Secret", "secrets")
DEPLOYMENT: Final = Kind("apps/v1", "Deployment", "deployments")

SERVICE: Final = Kind("v1", "Service", "services")
STATEFUL_SET: Final = Kind("apps/v1", "StatefulSet", "statefulsets")

AUTOSCALER: Final = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
SCALED_OBJECT: Final = Kind("keda.sh/v1alpha1", "ScaledObject", "scaledobjects")

INGRESS: Final = Kind("networking.k8s.io/v1", "Ingress", "ingresses")
HTTP_ROUTE: Final = Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes")

OPTIONAL: Final = (
    SCALED_OBJECT,
    HTTP_ROUTE,
    Kind("monitoring.coreos.com/v1", "ServiceMonitor", "servicemonitors"),
    Kind("monitoring.coreos.com/v1", "PrometheusRule", "prometheusrules"),
)
"""Kinds that a cluster has only if someone installed them."""

CHILDREN: Final = (
    DEPLOYMENT,
    STATEFUL_SET,
    SECRET,
    SERVICE,
    Kind("v1", "ServiceAccount", "serviceaccounts"),
    Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    AUTOSCALER,
    INGRESS,
    Kind("v1", "ConfigMap", "configmaps"),
    *OPTIONAL,
)
"""Every kind that may be a child: what is not desired any more is looked for among these."""


def kind_of(manifest: dict[str, object]) -> Kind:
    """Return the kind of a child's manifest."""
    return next(kind for kind in CHILDREN if kind.name == manifest["kind"])
