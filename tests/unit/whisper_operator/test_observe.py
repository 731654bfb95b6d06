"""What Deployments and pods say, and what it means for people."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.resources import NPU, START, pod, resource, unschedulable
from whisper_operator.observation import ObservedPool
from whisper_operator.observe import diagnose, observe_pool

POOL = resource(pools=[NPU]).spec.pools[0]


def container(waiting: str = "", ended: dict[str, Any] | None = None, *, init: bool = False) -> dict[str, Any]:
    """The status of a pod with one container."""
    status = {
        "image": "whisper:openvino",
        "ready": False,
        "state": {"waiting": {"reason": waiting, "message": "no such thing"}},
        "lastState": {"terminated": ended} if ended else {},
    }
    return {"initContainerStatuses" if init else "containerStatuses": [status]}


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (unschedulable("0/3 nodes: 3 Insufficient npu.intel.com/accel."), "DeviceMissing", "npu.intel.com/accel"),
        (unschedulable("0/3 nodes: 3 Insufficient memory."), "Unschedulable", "Insufficient memory"),
        (container("ImagePullBackOff"), "ImagePull", "whisper:openvino"),
        (container("ErrImagePull", init=True), "ImagePull", "imagePullSecrets"),
        (container("CreateContainerConfigError"), "ContainerNotCreated", "no such thing"),
        (container("CrashLoopBackOff", {"exitCode": 3}), "CrashLooping", "code 3"),
        (container("CrashLoopBackOff"), "CrashLooping", "--previous"),
        (container("CrashLoopBackOff", {"exitCode": 137, "reason": "OOMKilled"}), "OutOfMemory", "limits.memory"),
        (container("", {"exitCode": 137, "reason": "OOMKilled"}), "OutOfMemory", "limits.memory"),
        (container("CrashLoopBackOff", {"exitCode": 1}, init=True), "ModelFetchFailed", "fetch-model"),
    ],
)
def test_a_pod_that_cannot_become_ready_says_what_to_do(status: dict[str, Any], reason: str, words: str) -> None:
    trouble = diagnose(POOL, pod("live", "npu", status))
    assert trouble is not None
    assert trouble.reason == reason
    assert words in trouble.message


@pytest.mark.parametrize("status", [{}, container("ContainerCreating"), {"containerStatuses": [{"ready": True}]}])
def test_a_pod_that_starts_or_runs_is_no_trouble(status: dict[str, Any]) -> None:
    assert diagnose(POOL, pod("live", "npu", status)) is None


def restarted(ran: timedelta, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a container's status
    """The status of a pod whose container ended after so long, and begins again."""
    ended = {"exitCode": 0, "startedAt": "2026-01-01T00:00:00Z", "finishedAt": f"{START + ran:%Y-%m-%dT%H:%M:%SZ}"}
    status = {"ready": False, "started": False, "state": {"running": {}}, "lastState": {"terminated": ended}}
    return {"containerStatuses": [status | fields]}


def test_a_start_that_takes_longer_than_its_device_may_is_said() -> None:
    trouble = diagnose(POOL, pod("live", "npu", restarted(timedelta(minutes=25, seconds=35))))
    assert trouble is not None
    assert trouble.reason == "StartTooSlow"
    assert "25 minutes" in trouble.message


@pytest.mark.parametrize(
    "status",
    [
        restarted(timedelta(minutes=10)),
        restarted(timedelta(days=3)),
        restarted(timedelta(minutes=26), started=True),
        {"initContainerStatuses": restarted(timedelta(minutes=26))["containerStatuses"]},
    ],
    ids=["it ended sooner", "it had served", "it has started since", "it was the download"],
)
def test_a_restart_for_another_reason_is_no_slow_start(status: dict[str, Any]) -> None:
    assert diagnose(POOL, pod("live", "npu", status)) is None


def test_pods_that_never_come_to_a_start_are_told_by_the_deployment() -> None:
    stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    trouble = observe_pool(POOL, deployment(conditions=[stuck]), None, ()).trouble
    assert trouble is not None
    assert (trouble.reason, "kubectl describe pod" in trouble.message) == ("StartTooSlow", True)


def deployment(**status: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a status
    """A Deployment of two, at its second generation."""
    return {"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": {"observedGeneration": 2} | status}


@pytest.mark.parametrize(
    ("status", "ready", "rolling"),
    [
        ({}, 0, False),
        ({"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}, 2, False),
        ({"replicas": 2, "updatedReplicas": 1, "readyReplicas": 1}, 1, True),
        ({"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "observedGeneration": 1}, 2, True),
        ({"replicas": 2, "updatedReplicas": 1}, 0, False),
    ],
)
def test_a_rollout_is_seen_while_old_pods_answer(status: dict[str, Any], ready: int, rolling: bool) -> None:  # noqa: FBT001
    assert observe_pool(POOL, deployment(**status), None, ()) == ObservedPool(ready, rolling, replicas=2)


def test_a_pool_without_a_deployment_has_nothing() -> None:
    assert observe_pool(POOL, None, None, ()) == ObservedPool()


def test_pods_of_other_pools_are_not_this_pool_s_trouble() -> None:
    other = pod("live", "cpu", unschedulable("0/1 nodes"))
    assert observe_pool(POOL, deployment(), None, [other]).trouble is None


def test_pods_that_were_never_admitted_are_told_by_the_deployment() -> None:
    fine = {"type": "Available", "status": "True"}
    refused = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota."}
    trouble = observe_pool(POOL, deployment(conditions=[fine, refused]), None, ()).trouble
    assert observe_pool(POOL, deployment(conditions=[fine]), None, ()).trouble is None
    assert trouble is not None
    assert trouble.reason == "PodsRefused"
    assert trouble.message == "Pods are not admitted: exceeded quota."


def test_an_autoscaler_that_works_or_rests_is_no_trouble() -> None:
    conditions = [
        {"type": "AbleToScale", "status": "True"},
        {"type": "ScalingActive", "status": "False", "reason": "ScalingDisabled"},
    ]
    assert observe_pool(POOL, deployment(), {"status": {"conditions": conditions}}, ()).scaling is None
