"""What every Cluster does: the fake one that unit tests use, and the real one."""

import asyncio
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from kubernetes import client

from tests.support.fake_cluster import FakeCluster
from whisper_operator.api.base import API_VERSION, KIND
from whisper_operator.children.names import Manifest
from whisper_operator.cluster import Cluster
from whisper_operator.errors import AlreadyExists, NotFound
from whisper_operator.kinds import OPTIONAL, OWNER, kind_of
from whisper_operator.kubernetes_cluster import KubernetesCluster

ResultT = TypeVar("ResultT")

LABELS = {"app.kubernetes.io/instance": "live", "app.kubernetes.io/managed-by": "us"}


def wait_for(call: Awaitable[ResultT]) -> ResultT:
    """Run one call."""

    async def whole() -> ResultT:
        return await call

    return asyncio.run(whole())


@pytest.fixture(params=["fake", "real"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Each implementation in turn."""
    if request.param == "fake":
        yield FakeCluster()
        return
    real = KubernetesCluster(request.getfixturevalue("api"), lambda: datetime.now(UTC))
    yield real
    real.close()


@pytest.fixture
def space(request: pytest.FixtureRequest, cluster: Cluster) -> str:
    """A namespace."""
    return "default" if isinstance(cluster, FakeCluster) else str(request.getfixturevalue("namespace"))


def secret(namespace: str, name: str = "one", **fields: Any) -> Manifest:  # noqa: ANN401 - fields of a manifest
    """A small object."""
    metadata = {"name": name, "namespace": namespace, "labels": LABELS}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"word": "one"}} | fields


def service(namespace: str, **spec: Any) -> Manifest:  # noqa: ANN401 - fields of a spec
    """An object with defaults of the API server's own."""
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}]
    metadata = {"name": "one", "namespace": namespace, "labels": LABELS}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports} | spec}


def test_what_is_applied_is_there(cluster: Cluster, space: str) -> None:
    manifest = service(space, selector={"a": "b"})
    assert wait_for(cluster.get(kind_of(manifest), space, "one")) is None
    applied = wait_for(cluster.apply(manifest))
    assert applied["metadata"]["uid"]
    found = wait_for(cluster.get(kind_of(manifest), space, "one"))
    assert found is not None
    assert found["spec"]["selector"] == {"a": "b"}


def test_a_field_that_is_no_longer_applied_goes_and_others_stay(cluster: Cluster, space: str) -> None:
    wait_for(cluster.apply(service(space, selector={"a": "b"}, publishNotReadyAddresses=True)))
    applied = wait_for(cluster.apply(service(space, selector={"a": "c"})))
    assert applied["spec"]["selector"] == {"a": "c"}
    assert "publishNotReadyAddresses" not in applied["spec"]


def test_an_object_is_created_once(cluster: Cluster, space: str) -> None:
    created = wait_for(cluster.create(secret(space)))
    assert created["data"] == {"word": "b25l"}
    with pytest.raises(AlreadyExists):
        wait_for(cluster.create(secret(space)))


def test_only_objects_with_all_labels_are_listed(cluster: Cluster, space: str) -> None:
    wait_for(cluster.create(secret(space)))
    other = secret(space, "other", metadata={"name": "other", "namespace": space, "labels": {"else": "where"}})
    wait_for(cluster.create(other))
    kind = kind_of(secret(space))
    found = wait_for(cluster.list_labelled(kind, space, LABELS))
    assert [(each["kind"], each["metadata"]["name"]) for each in found] == [("Secret", "one")]
    everything = wait_for(cluster.list_all(kind, space))
    assert {"one", "other"} <= {each["metadata"]["name"] for each in everything}


def test_only_the_very_object_is_deleted(cluster: Cluster, space: str) -> None:
    first = wait_for(cluster.create(secret(space)))
    kind = kind_of(first)
    wait_for(cluster.delete(kind, first))
    second = wait_for(cluster.create(secret(space)))
    wait_for(cluster.delete(kind, first))
    found = wait_for(cluster.get(kind, space, "one"))
    assert found is not None
    assert found["metadata"]["uid"] == second["metadata"]["uid"]
    wait_for(cluster.delete(kind, second))
    wait_for(cluster.delete(kind, second))


def test_a_kind_that_the_cluster_does_not_have_has_no_objects_and_takes_none(
    cluster: Cluster, space: str, request: pytest.FixtureRequest
) -> None:
    there: set[str] = set()
    if not isinstance(cluster, FakeCluster):
        untyped: Any = client.ApisApi(request.getfixturevalue("api"))
        there = {group.name for group in untyped.get_api_versions().groups}
    missing = next((kind for kind in OPTIONAL if kind.group not in there), None)
    if missing is None:
        pytest.skip("this cluster has every kind")
    if isinstance(cluster, FakeCluster):
        cluster.absent.add(missing.name)
    manifest = secret(space) | {"apiVersion": missing.api_version, "kind": missing.name}
    assert wait_for(cluster.get(missing, space, "one")) is None
    assert wait_for(cluster.list_labelled(missing, space, LABELS)) == []
    with pytest.raises(NotFound):
        wait_for(cluster.apply(manifest))


def test_a_status_is_changed_field_by_field(cluster: Cluster, space: str, request: pytest.FixtureRequest) -> None:
    owner = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": "live", "namespace": space},
        "spec": {"model": {"name": "demo", "source": {"path": "/models/demo"}}},
    }
    if isinstance(cluster, FakeCluster):
        cluster.put(owner)
    else:
        custom = client.CustomObjectsApi(request.getfixturevalue("api"))
        custom.create_namespaced_custom_object(OWNER.group, "v1alpha1", space, OWNER.plural, owner)
    wait_for(cluster.write_status(OWNER, space, "live", {"url": "http://live", "replicas": 1}))
    wait_for(cluster.write_status(OWNER, space, "live", {"url": None, "replicas": 2}))
    found = wait_for(cluster.get(OWNER, space, "live"))
    assert found is not None
    assert found["status"]["replicas"] == 2
    assert "url" not in found["status"]
    wait_for(cluster.write_status(OWNER, space, "gone", {"replicas": 1}))
    wait_for(cluster.record_event(found, "Normal", "Tested", "It was."))
