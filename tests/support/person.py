"""`Person`: what people do to a cluster with kubectl."""

from typing import Any

from kubernetes import client

from tests.support.resources import manifest
from whisper_operator.api.base import GROUP, PLURAL, VERSION
from whisper_operator.children.names import Manifest, pool_name


def condition(resource: Manifest, kind: str) -> tuple[str, str]:
    """A condition's status and reason; empty if it is not there."""
    conditions = resource.get("status", {}).get("conditions", ())
    return next(((each["status"], each["reason"]) for each in conditions if each["type"] == kind), ("", ""))


class Person:
    """What a person does with kubectl."""

    def __init__(self, api: client.ApiClient, namespace: str) -> None:
        self.custom: Any = client.CustomObjectsApi(api)
        self.core: Any = client.CoreV1Api(api)
        self.apps: Any = client.AppsV1Api(api)
        self.namespace = namespace

    def create(self, name: str = "live", **spec: Any) -> None:  # noqa: ANN401 - fields of a spec
        """Create a resource."""
        body = manifest(name, **spec)
        body["metadata"]["namespace"] = self.namespace
        self.custom.create_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, body)

    def patch(self, name: str = "live", **spec: Any) -> Manifest:  # noqa: ANN401 - fields of a spec
        """Change a resource."""
        return dict(
            self.custom.patch_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, name, {"spec": spec})
        )

    def delete(self, name: str = "live") -> None:
        """Delete a resource."""
        self.custom.delete_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, name)

    def read(self) -> Manifest:
        """Read the resource."""
        return dict(self.custom.get_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, "live"))

    def condition(self, kind: str) -> tuple[str, str]:
        """A condition's status and reason."""
        return condition(self.read(), kind)

    def replicas(self, pool: str) -> int | None:
        """How many pods a pool's Deployment asks for; `None` if there is none."""
        name = pool_name("live", pool)
        found = [each for each in self.deployments() if each.metadata.name == name]
        return int(found[0].spec.replicas) if found else None

    def deployments(self) -> list[Any]:
        """All Deployments."""
        return list(self.apps.list_namespaced_deployment(self.namespace).items)
