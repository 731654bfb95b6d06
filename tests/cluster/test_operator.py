"""The operator as a process against a real API server: what a person does, and what then is there."""

import json
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from kubernetes import client

from tests.support.control_plane import ControlPlane
from tests.support.definitions import upgrade
from tests.support.patience import eventually
from tests.support.person import Person, condition
from tests.support.resources import CPU, NPU, STANDBY
from tests.support.running_operator import Operator
from whisper_operator.api.base import GROUP, PLURAL, VERSION
from whisper_operator.api.crd import build_crd
from whisper_operator.children.names import MANAGER, child_name, pool_name

pytestmark = pytest.mark.slow

NOWHERE: Final = CPU | {"nodeSelector": {"test.example/no-node": "has-this"}}
"""A pool that no node takes, also where there are nodes."""
TOLERANT: Final = {"tolerations": [{"key": "test.example/reserved", "operator": "Exists"}]}
"""Of pools that the node of a test takes; the pods that other tests have left wait for any."""


@pytest.fixture
def operator(kubeconfig: Path, namespace: str, tmp_path: Path) -> Operator:
    """The operator, not started."""
    return Operator(kubeconfig, [namespace], tmp_path / "operator.log")


def test_a_resource_becomes_pods_that_the_strictest_namespace_admits(operator: Operator, person: Person) -> None:
    with operator.running():
        person.create(replicas=2, pools=[NOWHERE])
        eventually(lambda: person.core.list_namespaced_pod(person.namespace).items, lambda pods: len(pods) == 2)
        eventually(lambda: person.condition("Accepted"), lambda found: found == ("True", "Accepted"))
        eventually(lambda: person.condition("Available"), lambda found: found == ("False", "Unschedulable"))
        resource = person.read()
        assert resource["status"]["url"] == f"http://live.{person.namespace}.svc"
        assert "finalizers" not in resource["metadata"]
        assert not any("kopf" in key for key in resource["metadata"].get("annotations", {}))
        events = person.core.list_namespaced_event(person.namespace).items
        assert any(event.involved_object.name == "live" and event.reason == "Starting" for event in events)
        assert _get(f"http://127.0.0.1:{operator.health_port}/healthz")
        assert "whisper_operator_reconcile_duration_seconds_count" in _get(f"http://127.0.0.1:{operator.metrics_port}")
        assert operator.stop() == 0
        assert all(json.loads(line)["message"] for line in operator.said())


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - loopback
        return str(answer.read().decode())


def test_at_rest_nothing_is_written(operator: Operator, person: Person) -> None:
    with operator.running():
        person.create(pools=[NPU, STANDBY], fallback={"after": "1s"})
        eventually(lambda: person.condition("FallbackActive"), lambda found: found[0] == "True")

        def versions() -> list[str]:
            children = [*person.deployments(), *person.core.list_namespaced_service(person.namespace).items]
            own = [str(each.metadata.resource_version) for each in children]
            return [str(person.read()["metadata"]["resourceVersion"]), *own]

        def settled() -> bool:
            before = versions()
            time.sleep(5)
            return before == versions()

        eventually(settled)
        before = versions()
        time.sleep(12)  # two resyncs
        assert versions() == before


def test_kubectl_scale_and_a_child_changed_by_hand(
    operator: Operator, person: Person, shell: Callable[[str], str]
) -> None:
    with operator.running():
        person.create()
        eventually(lambda: person.replicas("cpu"), lambda found: found == 1)
        assert "scaled" in shell(f"kubectl scale wd live --replicas=3 --namespace {person.namespace}")
        eventually(lambda: person.replicas("cpu"), lambda found: found == 3)
        person.apps.patch_namespaced_deployment(
            pool_name("live", "cpu"), person.namespace, {"spec": {"replicas": 9, "paused": True}}
        )
        eventually(lambda: person.replicas("cpu"), lambda found: found == 3)
        person.core.delete_namespaced_service("live", person.namespace)
        eventually(lambda: person.core.read_namespaced_service("live", person.namespace).metadata.uid)


def test_an_autoscaler_takes_the_count_over_and_keeps_it(operator: Operator, person: Person) -> None:
    name = pool_name("live", "cpu")
    with operator.running("2"):
        person.create(replicas=3)
        eventually(lambda: person.replicas("cpu"), lambda found: found == 3)
        scaled = CPU | {"autoscaling": {"minReplicas": 2, "maxReplicas": 6, "cpu": 80}}
        person.patch(replicas=1, pools=[scaled])
        eventually(lambda: person.condition("AutoscalingReady"), lambda found: found == ("True", "Scaling"))
        assert person.replicas("cpu") == 3
        # There is no metrics API here: the test scales as the autoscaler would, and that says that it cannot.
        person.apps.patch_namespaced_deployment_scale(name, person.namespace, {"spec": {"replicas": 5}})
        eventually(lambda: "replicas" not in _applied(person, name))
        assert person.replicas("cpu") == 5
        eventually(lambda: person.condition("AutoscalingReady"), lambda found: found == ("False", "MetricsMissing"))
        person.patch(replicas=2, pools=[CPU])
        eventually(lambda: person.replicas("cpu"), lambda found: found == 2)


def _applied(person: Person, deployment: str) -> set[str]:
    """The fields of a Deployment's spec that the operator asks for."""
    entries = person.apps.read_namespaced_deployment(deployment, person.namespace).metadata.managed_fields
    own = [entry.fields_v1 for entry in entries if entry.manager == MANAGER and entry.operation == "Apply"]
    return {field.removeprefix("f:") for fields in own for field in fields["f:spec"]}


def test_redis_of_its_own_comes_once_and_goes(operator: Operator, person: Person) -> None:
    name = child_name("live", "redis")

    def stateful_sets() -> list[Any]:
        return list(person.apps.list_namespaced_stateful_set(person.namespace).items)

    with operator.running():
        person.create(redis={"managed": {}})
        eventually(stateful_sets)
        eventually(lambda: person.condition("RedisReady"), lambda found: found == ("False", "RedisNotReady"))
        eventually(lambda: person.core.read_namespaced_persistent_volume_claim(f"data-{name}-0", person.namespace))
        password = person.core.read_namespaced_secret(name, person.namespace).data["password"]
        written = stateful_sets()[0].metadata.generation
        person.patch(replicas=2)
        eventually(lambda: person.replicas("cpu"), lambda found: found == 2)
        assert stateful_sets()[0].metadata.generation == written
        assert person.core.read_namespaced_secret(name, person.namespace).data["password"] == password
        person.patch(redis=None)
        eventually(lambda: not stateful_sets())
        eventually(lambda: person.condition("RedisReady"), lambda found: found == ("True", "NotAsked"))
        eventually(lambda: not person.core.list_namespaced_persistent_volume_claim(person.namespace).items)


def test_an_object_of_somebody_else_is_left_alone_and_said(operator: Operator, person: Person) -> None:
    theirs = {"metadata": {"name": "live"}, "spec": {"ports": [{"port": 1234}]}}
    person.core.create_namespaced_service(person.namespace, theirs)
    version = person.core.read_namespaced_service("live", person.namespace).metadata.resource_version
    with operator.running("2"):
        person.create()
        eventually(lambda: person.condition("Accepted"), lambda found: found == ("False", "NameConflict"))
        eventually(lambda: person.replicas("cpu"), lambda found: found == 1)
        person.patch(replicas=2)
        eventually(lambda: person.replicas("cpu"), lambda found: found == 2)
        assert person.core.read_namespaced_service("live", person.namespace).metadata.resource_version == version
        person.core.delete_namespaced_service("live", person.namespace)
        eventually(lambda: person.condition("Accepted"), lambda found: found == ("True", "Accepted"))
        owners = person.core.read_namespaced_service("live", person.namespace).metadata.owner_references
        assert [owner.name for owner in owners] == ["live"]


def test_a_definition_that_is_upgraded_leaves_what_runs_and_brings_its_fields(
    operator: Operator, person: Person, api: client.ApiClient, control_plane: ControlPlane
) -> None:
    del control_plane  # nobody else's definition is made old
    definition = yaml.safe_load(yaml.safe_dump(build_crd()))
    extensions: Any = client.ApiextensionsV1Api(api)
    path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/monitoring"
    extensions.patch_custom_resource_definition(definition["metadata"]["name"], [{"op": "remove", "path": path}])
    try:
        with operator.running("2"):
            person.create(pools=[NOWHERE])
            eventually(lambda: person.condition("Available"), lambda found: found[1] == "Unschedulable")
            eventually(lambda: "monitoring" not in person.patch(monitoring={"dashboard": True})["spec"])
            before = [each.metadata.resource_version for each in person.deployments()]
            upgrade(api, definition)
            eventually(lambda: person.patch(monitoring={"dashboard": True})["spec"].get("monitoring"))
            dashboards = "grafana_dashboard=1"
            eventually(
                lambda: person.core.list_namespaced_config_map(person.namespace, label_selector=dashboards).items
            )
            assert [each.metadata.resource_version for each in person.deployments()] == before
    finally:
        upgrade(api, definition)


def test_two_hundred_at_once_are_all_served(operator: Operator, person: Person) -> None:
    names = [f"live-{number}" for number in range(200)]
    with operator.running("300"):
        with ThreadPoolExecutor(8) as people:
            list(people.map(lambda name: person.create(name, pools=[NOWHERE]), names))
        eventually(lambda: len(_told(person)), lambda told: told == len(names), seconds=300)
        assert len(person.deployments()) == len(names)
        assert not [line for line in operator.said() if "failed" in line]
    person.custom.delete_collection_namespaced_custom_object(GROUP, VERSION, person.namespace, PLURAL)


def _told(person: Person) -> list[str]:
    """The resources that were told what becomes of their pods."""
    found = person.custom.list_namespaced_custom_object(GROUP, VERSION, person.namespace, PLURAL)["items"]
    return [each["metadata"]["name"] for each in found if condition(each, "Available")[1] == "Unschedulable"]


def test_deletion_leaves_nothing_also_with_the_operator_down(operator: Operator, person: Person) -> None:
    with operator.running():
        person.create(model={"name": "demo", "source": {"path": "/models/demo"}, "cache": {"size": "1Gi"}})
        eventually(lambda: person.replicas("cpu"), lambda found: found == 1)
        eventually(lambda: person.condition("Accepted"), lambda found: found[0] == "True")
    person.delete()

    def left() -> list[str]:
        lists = (
            person.apps.list_namespaced_deployment,
            person.core.list_namespaced_service,
            person.core.list_namespaced_secret,
            person.core.list_namespaced_pod,
            person.core.list_namespaced_persistent_volume_claim,
        )
        names = [item.metadata.name for listed in lists for item in listed(person.namespace).items]
        accounts = person.core.list_namespaced_service_account(person.namespace).items
        return names + [each.metadata.name for each in accounts if each.metadata.name != "default"]

    eventually(left, lambda names: names == [])


def test_a_secret_of_a_person_s_own_is_missed_used_and_rotated(operator: Operator, person: Person) -> None:
    def put(key: str) -> None:
        body = {"metadata": {"name": "mine"}, "stringData": {"API_KEY": key}}
        person.core.create_namespaced_secret(person.namespace, body)

    def checksums() -> set[str]:
        found = [each.spec.template.metadata.annotations for each in person.deployments()]
        return {value for each in found for key, value in each.items() if key.endswith("credentials-checksum")}

    with operator.running("3600"):  # no resync: only the watch can tell
        person.create(credentials={"secretName": "mine", "generate": False})
        eventually(lambda: person.condition("CredentialsReady"), lambda found: found == ("False", "SecretMissing"))
        put("too short")
        eventually(lambda: person.condition("CredentialsReady"), lambda found: found == ("False", "KeyTooShort"))
        person.core.delete_namespaced_secret("mine", person.namespace)
        eventually(lambda: person.condition("CredentialsReady"), lambda found: found == ("False", "SecretMissing"))
        put("a" * 32)
        first = eventually(checksums)
        rotated = {"stringData": {"SECRET_KEY": "b" * 32}}
        person.core.patch_namespaced_secret("mine", person.namespace, rotated)
        eventually(checksums, lambda now: bool(now) and now != first)
        secret = person.core.read_namespaced_secret("mine", person.namespace)
        assert secret.metadata.owner_references is None


def test_a_standby_stands_in_when_no_node_has_the_device_and_steps_back(
    operator: Operator, person: Person, api: client.ApiClient
) -> None:
    node = _node(api, person.namespace, {"cpu": "64", "memory": "256Gi", "pods": "110"})
    try:
        with operator.running():
            person.create(pools=[NPU | TOLERANT, STANDBY | TOLERANT], fallback={"after": "3s"})
            eventually(lambda: person.replicas("cpu"), lambda found: found == 2)
            eventually(lambda: person.condition("FallbackActive"), lambda found: found[0] == "True")
            _let_pods_be_ready(person, "cpu")
            eventually(lambda: person.condition("Available"), lambda found: found[0] == "True")
            _set_capacity(api, node, {"npu.intel.com/accel": "1"})
            _let_pods_be_ready(person, "npu")
            eventually(lambda: person.replicas("cpu"), lambda found: found == 0)
            eventually(lambda: person.condition("FallbackActive"), lambda found: found == ("False", "NotNeeded"))
    finally:
        person.core.delete_node(node)


def test_an_operator_that_is_killed_goes_on_where_it_was(operator: Operator, person: Person) -> None:
    for seconds in (1.0, 1.5, 2.0, 2.5):
        with operator.running():
            time.sleep(seconds)
            if seconds == 1.0:
                person.create(replicas=2)
    with operator.running():
        eventually(lambda: person.replicas("cpu"), lambda found: found == 2)
        eventually(lambda: person.condition("Accepted"), lambda found: found[0] == "True")


def test_an_api_server_that_restarts_is_survived(
    operator: Operator, person: Person, control_plane: ControlPlane
) -> None:
    with operator.running():
        person.create()
        eventually(lambda: person.replicas("cpu"), lambda found: found == 1)
        control_plane.stop_api_server()
        time.sleep(3)
        control_plane.start_api_server()
        eventually(lambda: person.patch(replicas=2))
        eventually(lambda: person.replicas("cpu"), lambda found: found == 2)


def _node(api: client.ApiClient, name: str, capacity: dict[str, str]) -> str:
    core: Any = client.CoreV1Api(api)
    core.create_node({"metadata": {"name": name}})
    _set_capacity(api, name, capacity)
    # Instead of the one that says that no kubelet has told of it.
    core.patch_node(name, {"spec": {"taints": [{"key": "test.example/reserved", "effect": "NoSchedule"}]}})
    return name


def _set_capacity(api: client.ApiClient, node: str, capacity: dict[str, str]) -> None:
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Test",
        "message": "",
        "lastHeartbeatTime": "2099-01-01T00:00:00Z",
    }
    status = {"capacity": capacity, "allocatable": capacity, "conditions": [ready]}
    client.CoreV1Api(api).patch_node_status(node, {"status": status})


def _let_pods_be_ready(person: Person, pool: str) -> None:
    """Say of each pod of a pool that was scheduled what a kubelet would."""
    selector = f"whisperoperator.dev/pool={pool}"

    def scheduled() -> list[Any]:
        pods = person.core.list_namespaced_pod(person.namespace, label_selector=selector).items
        return [pod for pod in pods if pod.spec.node_name]

    wanted = person.replicas(pool)
    for pod in eventually(scheduled, lambda pods: len(pods) == wanted):
        conditions = [{"type": kind, "status": "True"} for kind in ("Ready", "ContainersReady", "Initialized")]
        status = {"phase": "Running", "conditions": conditions}
        person.core.patch_namespaced_pod_status(pod.metadata.name, person.namespace, {"status": status})
