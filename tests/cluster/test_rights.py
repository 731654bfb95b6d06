"""The operator under exactly the rights that its chart gives it: enough for all that it does, and none unused."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from kubernetes import client

from tests.support.control_plane import ControlPlane
from tests.support.patience import eventually
from tests.support.person import Person
from tests.support.resources import CPU, NVIDIA
from tests.support.running_operator import Operator
from whisper_operator.children.names import Manifest
from whisper_operator.kinds import CHILDREN, SECRET, Kind
from whisper_operator.rights import RIGHTS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("foreign_kinds")]

CHART: Final = "helm/whisper-operator"
ACCOUNT: Final = "release-whisper-operator"

EVERYTHING: Final[dict[str, Any]] = {
    "model": {"name": "demo", "source": {"path": "/models/demo"}, "cache": {"size": "1Gi"}},
    "pools": [
        CPU | {"autoscaling": {"minReplicas": 2, "maxReplicas": 3, "cpu": 80}},
        NVIDIA | {"autoscaling": {"maxReplicas": 3, "prometheus": "http://prometheus:9090"}},
    ],
    "monitoring": {"serviceMonitor": True, "alerts": True, "dashboard": True},
    "route": {"host": "a.example.org"},
    "redis": {"managed": {}},
}
BY_GATEWAY: Final = {"host": "a.example.org", "kind": "httpRoute", "gateway": {"name": "public"}}
LITTLE: Final[dict[str, Any]] = {
    "model": {"cache": None},
    "pools": [CPU],
    "monitoring": None,
    "route": None,
    "redis": None,
    "network": {"policies": False},
    "credentials": {"secretName": "mine"},
}


@pytest.fixture(params=["every namespace", "one namespace"])
def limited(
    request: pytest.FixtureRequest,
    control_plane: ControlPlane,
    helm: Callable[..., str],
    person: Person,
    tmp_path: Path,
) -> Iterator[Operator]:
    """The operator as the chart's ServiceAccount, bound cluster-wide or in one namespace."""
    namespaces = [person.namespace] if request.param == "one namespace" else []
    watched = ["--set", f"watchNamespaces={{{person.namespace}}}"] if namespaces else []
    # The release's own Deployment finds no node here: this process stands for its pod.
    helm("install", "release", CHART, "--namespace", person.namespace, "--take-ownership", *watched)
    body = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[]))
    token = person.core.create_namespaced_service_account_token(ACCOUNT, person.namespace, body).status.token
    kubeconfig = control_plane.kubeconfig_of(token, tmp_path / "kubeconfig")
    yield Operator(kubeconfig, namespaces, tmp_path / "operator.log")
    helm("uninstall", "release", "--namespace", person.namespace)


def children(person: Person, api: client.ApiClient) -> set[str]:
    """The kinds of the objects that the resource has now."""
    owner = person.read()["metadata"]["uid"]

    def of_kind(kind: Kind) -> list[Manifest]:
        request = api.param_serialize("GET", kind.path(person.namespace), auth_settings=["BearerToken"])
        return list(json.loads(api.call_api(*request).read())["items"])

    def is_ours(each: Manifest) -> bool:
        return any(reference["uid"] == owner for reference in each["metadata"].get("ownerReferences", ()))

    return {kind.name for kind in CHILDREN if any(map(is_ours, of_kind(kind)))}


def test_the_rights_are_enough_and_none_is_unused(
    limited: Operator, person: Person, api: client.ApiClient, control_plane: ControlPlane
) -> None:
    every = {kind.name for kind in CHILDREN}
    with limited.running(resync_seconds="3"):
        person.create(**EVERYTHING)
        eventually(lambda: children(person, api), lambda found: found == every - {"HTTPRoute"})
        person.patch(route=BY_GATEWAY)
        eventually(lambda: children(person, api), lambda found: found == every - {"Ingress"})
        eventually(lambda: person.condition("Accepted"), lambda found: found == ("True", "Accepted"))
        eventually(lambda: rests(lambda: len(writes(control_plane, person.namespace))))
        person.core.create_namespaced_secret(
            person.namespace, {"metadata": {"name": "mine"}, "stringData": {"API_KEY": "k" * 32}}
        )
        person.patch(**LITTLE)
        eventually(lambda: children(person, api), lambda found: found == {"Deployment", "Service", "ServiceAccount"})
        eventually(lambda: person.condition("CredentialsReady"), lambda found: found[0] == "True")
        eventually(lambda: used(control_plane, person.namespace), lambda found: found == granted())
    assert not [line for line in limited.said() if "forbidden" in line.lower()]


def granted() -> set[tuple[str, str, str]]:
    """Group, resource and verb of each right that a request can be seen to use."""
    whole = {(right.group, right.resource, verb) for right in RIGHTS for verb in right.verbs}
    # An apply that makes an object needs `create` and is seen as `patch`; owner references are no request of their own.
    made = {(kind.group, kind.plural, "create") for kind in CHILDREN if kind is not SECRET}
    return {right for right in whole - made if not right[1].endswith("/finalizers")}


def used(control_plane: ControlPlane, namespace: str) -> set[tuple[str, str, str]]:
    """The same of each request that was allowed."""
    whole = set()
    for event in allowed(control_plane, namespace):
        what = event["objectRef"]
        resource = "/".join(filter(None, (what["resource"], what.get("subresource"))))
        whole.add((what.get("apiGroup", ""), resource, event["verb"]))
    return whole


def writes(control_plane: ControlPlane, namespace: str) -> list[Manifest]:
    """Each request that changes something."""
    return [event for event in allowed(control_plane, namespace) if event["verb"] not in {"get", "list", "watch"}]


def allowed(control_plane: ControlPlane, namespace: str) -> Iterator[Manifest]:
    """What the API server let the operator do, as audit events."""
    account = f"system:serviceaccount:{namespace}:{ACCOUNT}"
    for event in map(json.loads, control_plane.audit_log.read_text().splitlines()):
        decision = event["annotations"]["authorization.k8s.io/decision"]
        if event["user"]["username"] == account and "objectRef" in event and decision == "allow":
            yield event


def rests(measure: Callable[[], int]) -> bool:
    """Whether a figure stays as it is for longer than two resyncs."""
    before = measure()
    time.sleep(7)
    return measure() == before
