"""Passes over a resource in a fake cluster: what is written, what is left alone, what is said."""

import pytest

from tests.support.fake_cluster import FakeCluster
from tests.support.resources import (
    CPU,
    NPU,
    SECRET_DATA,
    STANDBY,
    deployment_name,
    let_pods_be_ready,
    pod,
    unschedulable,
)
from tests.support.world import KEY, World
from whisper_operator.errors import AlreadyExists, Refused, Unavailable
from whisper_operator.observation import Busy, Slots
from whisper_operator.watched import WatchedIndex, pack


def test_a_new_resource_gets_its_children_its_keys_and_a_status() -> None:
    world = World()
    world.reconcile()
    cluster = world.cluster
    assert cluster.names("Deployment") == [deployment_name("cpu")]
    assert len(cluster.names("Service")) == 3
    assert "live" in cluster.names("Service")
    assert len(cluster.names("Secret")) == len(cluster.names("ServiceAccount")) == 1
    assert world.condition("Accepted") == ("True", "Accepted")
    assert {condition.type for condition in world.reported[KEY]} >= {"Accepted", "Available"}
    assert world.condition("CredentialsReady") == ("True", "KeysFound")
    assert world.condition("Available") == ("False", "Starting")
    assert cluster.find("WhisperDeployment", "live")["status"]["url"] == "http://live.default.svc"


def test_a_second_pass_with_nothing_changed_writes_nothing() -> None:
    world = World(replicas=2, pools=[NPU, STANDBY])
    world.reconcile()
    assert world.reconcile() == []


def test_with_every_pod_ready_it_is_available() -> None:
    world = World(replicas=2)
    world.reconcile()
    world.settle()
    assert world.condition("Available") == ("True", "AllPoolsServing")
    assert world.condition("Progressing") == ("False", "Settled")
    assert world.cluster.find("WhisperDeployment", "live")["status"]["poolsSummary"] == "cpu 2/2"


def test_a_model_is_loaded_once_a_pod_is_ready_and_what_keeps_it_from_that_is_said() -> None:
    world = World()
    world.reconcile()
    assert world.condition("ModelReady") == ("Unknown", "NotLoaded")
    waiting = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    world.cluster.put(pod("live", "cpu", {"initContainerStatuses": [waiting]}))
    world.reconcile()
    assert world.condition("ModelReady") == ("False", "ModelFetchFailed")
    del world.cluster.objects["Pod", "default", "pod"]
    world.settle()
    assert world.condition("ModelReady") == ("True", "Loaded")


def test_capacity_and_usage_are_what_the_pods_say_in_steps() -> None:
    world = World(pools=[NPU, CPU])
    world.reconcile()
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    for pool, address in (("npu", "10.0.0.1"), ("cpu", "10.0.0.2")):
        world.cluster.put(pod("live", pool, ready | {"podIP": address}, name=address))
    npu, cpu = Busy(Slots(1, 32), Slots(17, 80)), Busy(Slots(3, 8), Slots(1, 4))
    world.pods.said = {"10.0.0.1": npu, "10.0.0.2": cpu}
    world.settle()
    status = world.cluster.find("WhisperDeployment", "live")["status"]
    assert (status["capacity"], status["usage"]) == (84, 21)
    assert [(pool["slots"], pool["slotsInUse"]) for pool in status["pools"]] == [(32, 4), (8, 3)]
    assert [(pool["streamSlots"], pool["streams"]) for pool in status["pools"]] == [(80, 20), (4, 1)]
    world.pods.said["10.0.0.1"] = Busy(Slots(3, 32), Slots(19, 89))
    assert world.reconcile() == []
    world.pods.said = {}  # nobody answers: the last word holds
    assert world.reconcile() == []
    world.pods.said = {"10.0.0.1": npu._replace(streams=Slots(17, 60)), "10.0.0.2": cpu}
    world.reconcile()
    assert world.cluster.find("WhisperDeployment", "live")["status"]["capacity"] == 64
    let_pods_be_ready(world.deployment(deployment_name("npu")), 0)
    world.reconcile()
    assert world.cluster.find("WhisperDeployment", "live")["status"]["capacity"] == 4


def test_a_rollout_is_said_while_old_pods_answer() -> None:
    world = World(replicas=2)
    world.reconcile()
    world.settle()
    world.change(pools=[CPU | {"image": "newer"}])
    world.reconcile()
    world.reconcile()
    assert world.condition("Progressing") == ("True", "RollingOut")
    assert world.condition("Available")[0] == "True"


def test_keys_that_someone_makes_at_the_same_moment_are_used() -> None:
    world = World()
    world.cluster.failures[0] = AlreadyExists("live-credentials")
    world.reconcile()
    assert world.condition("CredentialsReady") == ("False", "SecretMissing")
    world.reconcile()
    assert world.condition("CredentialsReady")[0] == "True"


def test_a_status_that_is_not_understood_is_written_anew() -> None:
    world = World(fromTheFuture=True)
    world.cluster.find("WhisperDeployment", "live")["status"] = {"conditions": "many"}
    world.reconcile()
    assert world.condition("Accepted") == ("False", "InvalidSpec")


def test_each_child_that_is_edited_or_deleted_by_hand_comes_back() -> None:
    world = World(replicas=2)
    world.reconcile()
    for kind in ("Deployment", "Service", "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget"):
        for name in world.cluster.names(kind):
            before = world.cluster.find(kind, name)
            del world.cluster.objects[kind, "default", name]
            assert f"apply {kind}" in world.reconcile()
            assert world.cluster.find(kind, name)["metadata"]["labels"] == before["metadata"]["labels"]
    world.deployment(deployment_name("cpu"))["spec"]["replicas"] = 7
    assert world.reconcile() == ["apply Deployment"]
    assert world.deployment(deployment_name("cpu"))["spec"]["replicas"] == 2


def test_what_others_add_to_a_child_is_left_alone() -> None:
    world = World()
    world.reconcile()
    world.deployment(deployment_name("cpu"))["metadata"]["annotations"]["someone.else/note"] = "mine"
    world.change(replicas=2)
    world.reconcile()
    assert world.deployment(deployment_name("cpu"))["metadata"]["annotations"]["someone.else/note"] == "mine"


def test_a_field_that_is_removed_from_the_spec_is_removed_from_the_child() -> None:
    world = World(pools=[CPU | {"nodeSelector": {"disk": "fast"}}])
    world.reconcile()
    world.change(pools=[CPU])
    assert world.reconcile() == ["apply Deployment", "status WhisperDeployment"]
    assert "nodeSelector" not in world.deployment(deployment_name("cpu"))["spec"]["template"]["spec"]


def test_a_pool_that_is_removed_takes_its_children_with_it() -> None:
    world = World(pools=[NPU, CPU | {"replicas": 2}])
    world.reconcile()
    world.change(pools=[NPU])
    assert sorted(set(world.reconcile())) == [
        "delete Deployment",
        "delete PodDisruptionBudget",
        "delete Service",
        "status WhisperDeployment",
    ]
    assert world.cluster.names("Deployment") == [deployment_name("npu")]


def test_a_foreign_object_of_the_same_name_is_neither_adopted_nor_changed() -> None:
    world = World()
    world.cluster.put({"kind": "Service", "metadata": {"name": "live"}, "spec": {"theirs": True}})
    world.reconcile()
    assert world.cluster.find("Service", "live")["spec"] == {"theirs": True}
    assert world.condition("Accepted") == ("False", "NameConflict")
    assert "Service live" in world.message("Accepted")
    assert world.reconcile() == []
    del world.cluster.objects["Service", "default", "live"]
    world.reconcile()
    assert world.condition("Accepted") == ("True", "Accepted")


def test_an_object_of_an_earlier_resource_of_the_same_name_is_foreign() -> None:
    world = World()
    world.reconcile()
    service = world.cluster.find("Service", "live")
    service["metadata"]["ownerReferences"][0]["uid"] = "of-the-earlier-one"
    world.reconcile()
    assert world.condition("Accepted") == ("False", "NameConflict")


def test_generated_keys_are_made_once_and_never_overwritten() -> None:
    world = World()
    world.reconcile()
    name = world.cluster.names("Secret")[0]
    world.cluster.find("Secret", name)["data"] = SECRET_DATA
    world.change(replicas=3)
    world.reconcile()
    assert world.keys == 3
    assert world.cluster.find("Secret", name)["data"] == SECRET_DATA


@pytest.mark.parametrize(
    ("key", "writes"), [("API_KEY", []), ("SECRET_KEY", ["apply Deployment"]), ("ADMIN_PASSWORD", ["apply Deployment"])]
)
def test_pods_are_replaced_for_the_keys_that_they_do_not_read_again(key: str, writes: list[str]) -> None:
    world = World()
    world.reconcile()
    secret = world.cluster.find("Secret", world.cluster.names("Secret")[0])
    assert len(set(secret["data"].values())) == 3
    secret["data"]["accounts.yaml"] = "a2V5czogW10="
    secret["data"][key] = SECRET_DATA["API_KEY"]
    assert world.reconcile() == writes


def test_named_keys_alone_are_enough() -> None:
    world = World(credentials={"secretName": "mine", "generate": False})
    world.cluster.put({"kind": "Secret", "metadata": {"name": "mine"}, "data": {"accounts.yaml": "a2V5czogW10="}})
    world.reconcile()
    assert world.condition("CredentialsReady")[0] == "True"


def test_a_secret_of_a_person_s_own_is_used_and_not_owned() -> None:
    world = World(credentials={"secretName": "mine", "generate": False})
    world.cluster.put({"kind": "Secret", "metadata": {"name": "mine"}, "data": SECRET_DATA})
    world.reconcile()
    secret = world.cluster.find("Secret", "mine")
    assert "ownerReferences" not in secret["metadata"]
    assert secret["data"] == SECRET_DATA
    assert world.condition("CredentialsReady")[0] == "True"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "SecretMissing"),
        ({}, "KeyMissing"),
        ({"API_KEY": "c2hvcnQ="}, "KeyTooShort"),
        ({"API_KEY": "/////w=="}, "KeyUnreadable"),
        ({"API_KEY": "not base64"}, "KeyUnreadable"),
        (SECRET_DATA | {"SECRET_KEY": "c2hvcnQ="}, "KeyTooShort"),
        (SECRET_DATA | {"ADMIN_PASSWORD": SECRET_DATA["API_KEY"]}, "KeyMissing"),
    ],
)
def test_keys_that_cannot_be_used_are_said_and_pods_that_run_are_left_alone(
    data: dict[str, str] | None, reason: str
) -> None:
    world = World(credentials={"secretName": "mine", "generate": False})
    world.cluster.put({"kind": "Secret", "metadata": {"name": "mine"}, "data": SECRET_DATA})
    world.reconcile()
    world.settle()
    before = world.deployment(deployment_name("cpu"))["spec"]
    del world.cluster.objects["Secret", "default", "mine"]
    if data is not None:
        world.cluster.put({"kind": "Secret", "metadata": {"name": "mine"}, "data": data})
    assert world.reconcile() == ["status WhisperDeployment"]
    assert world.condition("CredentialsReady") == ("False", reason)
    assert world.condition("Available")[0] == "True"
    assert world.deployment(deployment_name("cpu"))["spec"] == before
    assert not any(value and value in str(world.cluster.events) for value in (data or {}).values())


def test_without_keys_no_pod_is_made_and_with_them_it_is() -> None:
    world = World(credentials={"secretName": "mine", "generate": False})
    world.reconcile()
    assert world.cluster.names("Deployment") == []
    assert world.condition("Available") == ("False", "SecretMissing")
    world.cluster.put({"kind": "Secret", "metadata": {"name": "mine"}, "data": SECRET_DATA})
    world.reconcile()
    assert world.cluster.names("Deployment") == [deployment_name("cpu")]


def test_a_standby_stands_in_visibly_and_steps_back() -> None:
    world = World(pools=[NPU, STANDBY])
    world.reconcile()
    world.cluster.put(pod("live", "npu", unschedulable("0/3 nodes: 3 Insufficient npu.intel.com/accel.")))
    world.reconcile(after=60)
    assert world.deployment(deployment_name("cpu"))["spec"]["replicas"] == 2
    assert world.condition("FallbackActive") == ("True", "DeviceMissing")
    assert ("Warning", "DeviceMissing", world.message("FallbackActive")) in world.cluster.events
    del world.cluster.objects["Pod", "default", "pod"]
    world.settle()
    assert world.condition("FallbackActive") == ("True", "Recovering")
    world.reconcile(after=60)
    world.settle()
    assert world.deployment(deployment_name("cpu"))["spec"]["replicas"] == 0
    assert world.condition("FallbackActive") == ("False", "NotNeeded")


def test_strict_says_that_the_device_is_missing() -> None:
    world = World(pools=[NPU, STANDBY], fallback={"strict": True})
    world.reconcile()
    world.cluster.put(pod("live", "npu", unschedulable("1 Insufficient npu.intel.com/accel")))
    world.reconcile(after=120)
    assert world.condition("Available") == ("False", "DeviceMissing")
    assert world.deployment(deployment_name("cpu"))["spec"]["replicas"] == 0


def test_a_spec_that_is_not_understood_leaves_what_runs_and_says_so() -> None:
    world = World()
    world.reconcile()
    world.settle()
    world.change(fromTheFuture=True)
    assert world.reconcile() == ["status WhisperDeployment"]
    assert world.condition("Accepted") == ("False", "InvalidSpec")
    assert "fromTheFuture" in world.message("Accepted")
    assert world.condition("Available")[0] == "True"
    assert world.reconcile() == []


def test_a_child_that_is_refused_does_not_keep_the_others_from_it() -> None:
    world = World()
    world.cluster.failures[1] = Refused("exceeded quota")
    world.reconcile()
    assert world.condition("Accepted") == ("False", "ChildRefused")
    assert "exceeded quota" in world.message("Accepted")
    assert world.cluster.names("Deployment")
    world.reconcile()
    assert world.condition("Accepted") == ("True", "Accepted")


def test_a_resource_that_is_gone_or_going_is_left_to_its_owner_references() -> None:
    world = World()
    world.cluster.find("WhisperDeployment", "live")["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert world.reconcile() == []
    del world.cluster.objects["WhisperDeployment", "default", "live"]
    assert world.reconcile() == []
    assert world.reported == {KEY: ()}


@pytest.mark.parametrize("write", range(9))
def test_an_operator_that_dies_at_any_write_is_finished_by_the_next(write: int) -> None:
    world = World(replicas=2)
    untouched = World(replicas=2)
    untouched.reconcile()
    world.cluster.failures[write] = Unavailable("killed")
    with pytest.raises(Unavailable):
        world.reconcile()
    world.reconcile()
    assert sorted(world.cluster.objects) == sorted(untouched.cluster.objects)
    assert world.reconcile() == []


def test_events_are_told_once() -> None:
    world = World()
    world.reconcile()
    told = list(world.cluster.events)
    world.reconcile(after=600)
    assert world.cluster.events == told
    assert [reason for _, reason, _ in told] == ["Starting"]


class _Lagging(WatchedIndex):
    """Knows what was there when it was last told."""

    def look(self, cluster: FakeCluster) -> None:
        """Take in what is there."""
        objects = [each for each in cluster.objects.values() if each["kind"] not in {"Secret", "WhisperDeployment"}]
        self.attach({KEY: [pack(each["kind"], each["apiVersion"], each) for each in objects]})


def test_watches_that_lag_lead_to_no_wrong_write() -> None:
    world, lagging = World(replicas=2, pools=[CPU, STANDBY | {"name": "spare"}]), _Lagging()
    world.watch(lagging)
    lagging.look(world.cluster)
    world.reconcile()
    there = dict(world.cluster.objects)
    assert "delete" not in {write.verb for write in world.cluster.writes}
    world.reconcile()  # still knows of no child: asks for each, and leaves it
    assert world.cluster.objects.keys() == there.keys()
    lagging.look(world.cluster)
    assert world.reconcile() == []
    world.change(pools=[CPU])
    assert "delete Deployment" in world.reconcile()
    assert "delete Deployment" in world.reconcile()  # it knows no better, and deleting what is gone is fine
    lagging.look(world.cluster)
    assert world.reconcile() == []


def test_a_child_that_went_unheard_comes_back_when_the_watches_are_doubted() -> None:
    world, lagging = World(), _Lagging()
    world.watch(lagging)
    world.reconcile()
    lagging.look(world.cluster)
    del world.cluster.objects["Service", "default", "live"]
    assert world.reconcile() == []
    lagging.doubt(KEY)
    assert world.reconcile() == ["apply Service"]


def test_what_the_watches_know_is_not_listed_and_a_changed_spec_takes_its_secret_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, lagging = World(redis={"managed": {}}), _Lagging()
    world.watch(lagging)
    lagging.look(world.cluster)
    with monkeypatch.context() as patched:
        patched.setattr(world.cluster, "list_labelled", None)
        world.reconcile()
        lagging.look(world.cluster)
        assert world.reconcile() == []
    assert len(world.cluster.names("Secret")) == 2
    world.change(redis=None)
    assert "delete Secret" in world.reconcile()


def test_before_the_watches_are_complete_nothing_is_known() -> None:
    assert WatchedIndex().objects_of("default", "live") is None
