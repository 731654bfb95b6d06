"""The operator as a process against a real API server: what a person does, and what then is there."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from kubernetes import client

from tests.support.control_plane import ControlPlane
from tests.support.ports import free_port
from tests.support.resources import NPU, STANDBY, manifest
from whisper_operator.api.base import GROUP, PLURAL, VERSION
from whisper_operator.children.names import Manifest, pool_name

pytestmark = pytest.mark.slow

ResultT = TypeVar("ResultT")
PATIENCE_SECONDS = 60


class Operator:
    """`whisper-operator run`, for one namespace."""

    def __init__(self, kubeconfig: Path, namespace: str, log: Path) -> None:
        self.metrics_port, self.health_port = free_port(), free_port()
        self._environment = os.environ | {
            "KUBECONFIG": str(kubeconfig),
            "WHISPER_OPERATOR_NAMESPACES": f'["{namespace}"]',
            "WHISPER_OPERATOR_METRICS_PORT": str(self.metrics_port),
            "WHISPER_OPERATOR_HEALTH_PORT": str(self.health_port),
        }
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "whisper_operator", "run"]
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)

    def said(self) -> list[str]:
        """The lines of its log."""
        return self._log.read_text().splitlines()

    def kill(self) -> None:
        """Kill it, with no time to say goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(PATIENCE_SECONDS)

    @contextmanager
    def running(self, resync_seconds: str = "5") -> Iterator["Operator"]:
        """Run it while the block does."""
        self._environment["WHISPER_OPERATOR_RESYNC_SECONDS"] = resync_seconds
        self.start()
        try:
            yield self
        finally:
            self.kill()
            sys.stdout.write(self._log.read_text(errors="replace")[-4000:])


@pytest.fixture
def operator(kubeconfig: Path, namespace: str, tmp_path: Path) -> Operator:
    """The operator, not started."""
    return Operator(kubeconfig, namespace, tmp_path / "operator.log")


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

    def patch(self, **spec: Any) -> Manifest:  # noqa: ANN401 - fields of a spec
        """Change the resource."""
        return dict(
            self.custom.patch_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, "live", {"spec": spec})
        )

    def read(self) -> Manifest:
        """Read the resource."""
        return dict(self.custom.get_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, "live"))

    def condition(self, kind: str) -> tuple[str, str]:
        """A condition's status and reason."""
        conditions = self.read().get("status", {}).get("conditions", ())
        return next(((each["status"], each["reason"]) for each in conditions if each["type"] == kind), ("", ""))

    def replicas(self, pool: str) -> int | None:
        """How many pods a pool's Deployment asks for; `None` if there is none."""
        name = pool_name("live", pool)
        found = [each for each in self.deployments() if each.metadata.name == name]
        return int(found[0].spec.replicas) if found else None

    def deployments(self) -> list[Any]:
        """All Deployments."""
        return list(self.apps.list_namespaced_deployment(self.namespace).items)


@pytest.fixture
def person(api: client.ApiClient, namespace: str) -> Person:
    """Someone at the keyboard."""
    return Person(api, namespace)


def eventually(what: Callable[[], ResultT], true: Callable[[ResultT], bool] = bool) -> ResultT:
    """Wait until it is so; an API server that does not answer is waited for, too."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    last: object = None
    while time.monotonic() < deadline:
        try:
            found = what()
        except Exception as problem:  # noqa: BLE001 - whatever the client raises while the server is down
            last = problem
        else:
            last = found
            if true(found):
                return found
        time.sleep(0.2)
    pytest.fail(f"it did not come true; last: {last}")


def test_a_resource_becomes_pods_that_the_strictest_namespace_admits(operator: Operator, person: Person) -> None:
    with operator.running():
        person.create(replicas=2)
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


def test_kubectl_scale_and_a_child_changed_by_hand(operator: Operator, person: Person) -> None:
    with operator.running():
        person.create()
        eventually(lambda: person.replicas("cpu"), lambda found: found == 1)
        body = {"spec": {"replicas": 3}}
        person.custom.patch_namespaced_custom_object_scale(GROUP, VERSION, person.namespace, PLURAL, "live", body)
        eventually(lambda: person.replicas("cpu"), lambda found: found == 3)
        person.apps.patch_namespaced_deployment(
            pool_name("live", "cpu"), person.namespace, {"spec": {"replicas": 9, "paused": True}}
        )
        eventually(lambda: person.replicas("cpu"), lambda found: found == 3)
        person.core.delete_namespaced_service("live", person.namespace)
        eventually(lambda: person.core.read_namespaced_service("live", person.namespace).metadata.uid)


def test_deletion_leaves_nothing_also_with_the_operator_down(operator: Operator, person: Person) -> None:
    with operator.running():
        person.create(model={"name": "demo", "source": {"path": "/models/demo"}, "cache": {"size": "1Gi"}})
        eventually(lambda: person.replicas("cpu"), lambda found: found == 1)
        eventually(lambda: person.condition("Accepted"), lambda found: found[0] == "True")
    person.custom.delete_namespaced_custom_object(GROUP, VERSION, person.namespace, PLURAL, "live")

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
        rotated = {"stringData": {"API_KEY": "b" * 32}}
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
            person.create(pools=[NPU, STANDBY], fallback={"after": "3s"})
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
    core.patch_node(name, {"spec": {"taints": None}})
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
