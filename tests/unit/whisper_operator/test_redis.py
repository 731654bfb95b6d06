"""Redis of the resource's own, or somebody's: what is made, what waits for it, and what is said."""

import base64
from typing import Any

import pytest

from tests.support.resources import children_of, deployment_name, resource
from tests.support.world import World
from whisper_operator.children.names import Manifest, child_name
from whisper_operator.observe import observe_redis

NAME = child_name("live", "redis")
SOMEBODY_S: dict[str, Any] = {"secretName": "theirs"}
URL = {"url": base64.b64encode(b"redis://host").decode()}


def give(world: World, data: dict[str, str], name: str = "theirs") -> None:
    """Give the cluster a Secret."""
    world.cluster.put({"kind": "Secret", "metadata": {"name": name}, "data": data})


def made(kind: str, **spec: Any) -> list[Manifest]:  # noqa: ANN401 - fields of a spec
    """The children of a kind at the first pass."""
    return [each for each in children_of(resource(**spec)) if each["kind"] == kind]


def settled(**spec: Any) -> World:  # noqa: ANN401 - fields of a spec
    """A world at rest."""
    world = World(**spec)
    world.reconcile()
    world.settle()
    return world


def server_spec(world: World) -> Manifest:
    """The pod that the Deployment asks for."""
    return dict(world.deployment(deployment_name("cpu"))["spec"]["template"]["spec"])


def test_one_of_its_own_is_made_with_a_password_that_is_in_no_other_manifest() -> None:
    world = World(redis={"managed": {}})
    world.reconcile()
    secret = world.cluster.find("Secret", NAME)
    data = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    assert data["url"] == f"redis://:{data['password']}@{NAME}.default.svc:6379/0"
    assert data["redis.conf"] == f"requirepass {data['password']}\n"
    others = [each for key, each in world.cluster.objects.items() if key[0] != "Secret"]
    assert data["password"] not in str(others)
    kinds = {kind for kind, _, name in world.cluster.objects if name == NAME}
    assert kinds == {"Secret", "StatefulSet", "Service", "NetworkPolicy"}


def test_servers_read_the_address_alone_from_a_file() -> None:
    spec = server_spec(settled(redis={"managed": {}}))
    variables = {each["name"]: each.get("value") for each in spec["containers"][0]["env"]}
    mount = next(each for each in spec["containers"][0]["volumeMounts"] if each["name"] == "redis")
    volume = next(each for each in spec["volumes"] if each["name"] == "redis")
    assert variables["WHISPER_REDIS_URL_FILE"] == f"{mount['mountPath']}/url"
    assert volume["secret"]["items"] == [{"key": "url", "path": "url"}]
    assert "redis" not in str(server_spec(settled()))


def test_it_keeps_what_it_is_told_on_a_claim_that_goes_with_it_and_drops_nothing() -> None:
    (stateful_set,) = made("StatefulSet", redis={"managed": {"memory": "1Gi"}})
    container = stateful_set["spec"]["template"]["spec"]["containers"][0]
    options = dict(zip(container["args"][::2], container["args"][1::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert int(options["--maxmemory"]) == 768 * 2**20
    assert stateful_set["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Delete"
    assert container["securityContext"]["readOnlyRootFilesystem"]


def test_only_servers_reach_it_and_it_reaches_nobody() -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in made("NetworkPolicy", redis={"managed": {}})}
    own, servers = policies[NAME], policies[child_name("live", "pods")]
    assert own["ingress"][0]["from"] == [{"podSelector": servers["podSelector"]}]
    assert "egress" not in own
    way = {"ports": [{"protocol": "TCP", "port": 6379}], "to": [{"podSelector": own["podSelector"]}]}
    assert way in servers["egress"]
    assert not made("NetworkPolicy", redis={"managed": {}}, network={"policies": False})


def test_pods_that_share_one_know_their_address_and_reach_each_other() -> None:
    (address,) = (
        each
        for each in server_spec(settled(redis={"managed": {}}))["containers"][0]["env"]
        if each["name"] == "WHISPER_ADVERTISED_HOST"
    )
    assert address["valueFrom"]["fieldRef"]["fieldPath"] == "status.podIP"
    clients = {"network": {"clients": [{"podLabels": {"app": "web"}}]}}
    policies = made("NetworkPolicy", redis={"managed": {}}, **clients)
    servers = next(each["spec"] for each in policies if each["metadata"]["name"] != NAME)
    others, port = [{"podSelector": servers["podSelector"]}], [{"protocol": "TCP", "port": 8000}]
    assert {"ports": port, "from": others} in servers["ingress"]
    assert {"ports": port, "to": others} in servers["egress"]


def test_pods_that_share_none_do_neither() -> None:
    (alone,) = made("NetworkPolicy", network={"clients": [{"podLabels": {"app": "web"}}]})
    assert [each["ports"][0]["port"] for each in alone["spec"]["ingress"]] == [8000, 9000]
    assert 8000 not in [each["port"] for rule in alone["spec"]["egress"] for each in rule["ports"]]
    assert "WHISPER_ADVERTISED_HOST" not in str(server_spec(settled()))


def test_another_password_restarts_redis_and_the_servers() -> None:
    world = settled(redis={"managed": {}})
    del world.cluster.objects["Secret", "default", NAME]
    assert {"create Secret", "apply StatefulSet", "apply Deployment"} <= set(world.reconcile())


def test_it_is_pruned_when_it_is_not_asked_for_any_more() -> None:
    world = settled(redis={"managed": {}})
    world.change(redis=None)
    world.reconcile()
    assert not [key for key in world.cluster.objects if key[2] == NAME]
    assert world.condition("RedisReady") == ("True", "NotAsked")


@pytest.mark.parametrize(("data", "reason"), [(None, "RedisSecretMissing"), ({}, "RedisUrlMissing")])
def test_without_an_address_running_pods_are_left_alone(data: dict[str, str] | None, reason: str) -> None:
    world = settled(replicas=2)
    before = world.deployment(deployment_name("cpu"))["spec"]
    if data is not None:
        give(world, data)
    world.change(redis=SOMEBODY_S)
    world.reconcile()
    assert world.condition("RedisReady") == ("False", reason)
    assert world.condition("Available")[0] == "True"
    assert world.deployment(deployment_name("cpu"))["spec"] == before
    give(world, URL)
    world.reconcile()
    assert world.condition("RedisReady") == ("True", "AddressFound")
    assert "redis" in str(server_spec(world))


def test_a_secret_that_goes_stops_nothing_and_a_changed_address_rolls_the_pods() -> None:
    world = World(redis=SOMEBODY_S)
    give(world, URL)
    world.reconcile()
    world.settle()
    del world.cluster.objects["Secret", "default", "theirs"]
    assert world.reconcile() == ["status WhisperDeployment"]
    give(world, {"url": base64.b64encode(b"redis://other").decode()})
    assert "apply Deployment" in world.reconcile()
    assert "ownerReferences" not in world.cluster.find("Secret", "theirs")["metadata"]


def test_it_is_ready_when_its_pod_is() -> None:
    owner = resource(redis={"managed": {}})
    assert observe_redis(owner, {"status": {"readyReplicas": 1}}) is None
    for missing in (None, {}, {"status": {"readyReplicas": 0}}):
        trouble = observe_redis(owner, missing)
        assert trouble is not None
        assert f"{NAME}-0" in trouble.message
    world = settled(redis={"managed": {}})
    world.cluster.find("StatefulSet", NAME)["status"] = {"readyReplicas": 1}
    world.reconcile()
    assert world.condition("RedisReady") == ("True", "Answers")
