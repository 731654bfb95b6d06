"""A pool whose count follows its work: what is made for it, who decides the count, and what is said."""

from typing import Any, Final

import pytest

from tests.support.resources import CPU, NPU, NVIDIA, STANDBY, START, children_of, deployment_name, resource
from tests.support.world import World
from whisper_operator.children.names import Manifest
from whisper_operator.observation import ObservedPool
from whisper_operator.plan import Plan, plan_pools

SCALED: Final[dict[str, Any]] = {"autoscaling": {"minReplicas": 2, "maxReplicas": 5}}


def plan(found: ObservedPool) -> Plan:
    """The plan for one autoscaled pool."""
    return plan_pools(resource(pools=[CPU | SCALED]).spec, {"cpu": found}, (), START)


@pytest.mark.parametrize(("there", "kept"), [(0, 2), (1, 2), (2, 2), (4, 4), (9, 5)])
def test_a_count_within_the_bounds_is_kept(there: int, kept: int) -> None:
    assert plan(ObservedPool(replicas=there)).pools[0].replicas == kept


def test_a_pool_with_its_fewest_pods_serves_while_more_are_on_their_way() -> None:
    assert plan(ObservedPool(ready=2, replicas=5)).pools[0].serving
    assert not plan(ObservedPool(ready=1, replicas=5)).pools[0].serving


def autoscaler(pool: dict[str, Any]) -> Manifest:
    """What is made to scale a pool."""
    kinds = {"HorizontalPodAutoscaler", "ScaledObject"}
    return next(child for child in children_of(resource(pools=[pool])) if child["kind"] in kinds)


def test_by_default_it_looks_at_slots_the_age_of_the_queue_and_streams() -> None:
    spec = autoscaler(NVIDIA | SCALED)["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 5)
    assert spec["scaleTargetRef"]["name"] == deployment_name("gpu")
    found = {each["pods"]["metric"]["name"]: each["pods"]["target"]["averageValue"] for each in spec["metrics"]}
    assert found == {
        "whisper_slots_in_use": "6",
        "whisper_queue_age_seconds": "2",
        "whisper_stream_load_ratio": "750m",
    }


def test_only_what_is_named_counts() -> None:
    named = CPU | {"autoscaling": {"maxReplicas": 5, "cpu": 70, "queueAge": "1m30s"}}
    age, cpu = autoscaler(named)["spec"]["metrics"]
    assert age["pods"]["target"] == {"type": "AverageValue", "averageValue": "90"}
    assert cpu["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}


def test_with_prometheus_keda_reads_there_and_a_missing_metric_is_not_zero() -> None:
    wish = {
        "maxReplicas": 5,
        "slotsInUse": 4,
        "queueAge": "3s",
        "streamLoad": 60,
        "prometheus": "http://prometheus:9090",
    }
    scaled = autoscaler(NVIDIA | {"autoscaling": wish})
    assert scaled["kind"] == "ScaledObject"
    slots, age, streams = scaled["spec"]["triggers"]
    pods = f'namespace="default",pod=~"{deployment_name("gpu")}-.*"'
    assert slots["metadata"] == {
        "serverAddress": "http://prometheus:9090",
        "query": f"sum(whisper_slots_in_use{{{pods}}})",
        "threshold": "4",
        "ignoreNullValues": "false",
    }
    assert (age["metricType"], age["metadata"]["threshold"]) == ("Value", "3")
    assert (streams["metricType"], streams["metadata"]["threshold"]) == ("Value", "0.6")
    assert streams["metadata"]["query"] == f"avg(whisper_stream_load_ratio{{{pods}}})"


@pytest.mark.parametrize(
    ("wish", "queries"), [({"slotsInUse": 4}, ["sum"]), ({"queueAge": "3s"}, ["max"]), ({"streamLoad": 60}, ["avg"])]
)
def test_keda_reads_only_what_is_named(wish: dict[str, Any], queries: list[str]) -> None:
    scaled = autoscaler(NVIDIA | {"autoscaling": wish | {"maxReplicas": 5, "prometheus": "http://prometheus"}})
    assert [trigger["metadata"]["query"][:3] for trigger in scaled["spec"]["triggers"]] == queries


def hand_over(deployment: Manifest, count: int) -> None:
    """Let an autoscaler set the count."""
    deployment["spec"]["replicas"] = count
    deployment["applied"]["spec"].pop("replicas", None)
    deployment["metadata"]["managedFields"] = [
        {"manager": "kube-controller-manager", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    ]


def test_the_count_is_handed_over_without_a_dip_and_then_left_alone() -> None:
    world = World(replicas=3)
    world.reconcile()
    world.settle()
    world.change(replicas=1, pools=[CPU | SCALED])
    assert sorted(set(world.reconcile())) == ["apply HorizontalPodAutoscaler", "status WhisperDeployment"]
    deployment = world.deployment(deployment_name("cpu"))
    assert deployment["spec"]["replicas"] == 3
    hand_over(deployment, 4)
    assert world.reconcile() == ["apply Deployment", "status WhisperDeployment"]
    deployment = world.deployment(deployment_name("cpu"))
    assert deployment["spec"]["replicas"] == 4
    assert "replicas" not in deployment["applied"]["spec"]
    deployment["spec"]["replicas"] = 5
    assert "apply Deployment" not in world.reconcile()
    world.change(replicas=2, pools=[CPU])
    assert "delete HorizontalPodAutoscaler" in world.reconcile()
    assert world.deployment(deployment_name("cpu"))["spec"]["replicas"] == 2


def test_a_standby_that_rests_is_not_scaled_and_one_that_runs_is() -> None:
    standby = {key: value for key, value in STANDBY.items() if key != "replicas"} | SCALED
    world = World(pools=[NPU, standby])
    world.reconcile()
    assert world.cluster.names("HorizontalPodAutoscaler") == []
    world.reconcile(after=60)
    assert world.deployment(deployment_name("cpu"))["spec"]["replicas"] == 2
    assert len(world.cluster.names("HorizontalPodAutoscaler")) == 1
    hand_over(world.deployment(deployment_name("cpu")), 5)
    world.reconcile()
    world.settle()
    world.reconcile(after=60)
    world.settle()
    assert world.deployment(deployment_name("cpu"))["spec"]["replicas"] == 0
    assert world.cluster.names("HorizontalPodAutoscaler") == []


@pytest.mark.parametrize(
    ("kind", "pool", "condition"),
    [
        ("HorizontalPodAutoscaler", CPU | SCALED, "ScalingActive"),
        ("ScaledObject", CPU | {"autoscaling": {"maxReplicas": 2, "prometheus": "http://prometheus"}}, "Ready"),
    ],
)
def test_metrics_that_cannot_be_read_are_said(kind: str, pool: dict[str, Any], condition: str) -> None:
    world = World(pools=[pool])
    world.reconcile()
    assert world.condition("AutoscalingReady") == ("True", "Scaling")
    found = world.cluster.find(kind, world.cluster.names(kind)[0])
    found["status"] = {"conditions": [{"type": condition, "status": "False", "message": "no metrics API"}]}
    world.reconcile()
    assert world.condition("AutoscalingReady") == ("False", "MetricsMissing")
    assert "no metrics API." in world.message("AutoscalingReady")


def test_a_kind_that_the_cluster_does_not_have_is_named_and_everything_else_is_applied() -> None:
    world = World(pools=[CPU | {"autoscaling": {"maxReplicas": 2, "prometheus": "http://prometheus"}}])
    world.cluster.absent = {"ScaledObject"}
    world.reconcile()
    assert world.cluster.names("Deployment")
    assert world.condition("Accepted") == ("False", "ApiMissing")
    assert "ScaledObject (keda.sh/v1alpha1)" in world.message("Accepted")
    assert world.reconcile() == []
    world.cluster.absent = set()
    assert world.reconcile() == ["apply ScaledObject", "status WhisperDeployment"]
