"""From Deployments and pods, as the API server hands them out, to what they mean. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from whisper_operator.api.pool import Pool
from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.names import POOL_LABEL, Manifest
from whisper_operator.children.redis import managed_redis, redis_name
from whisper_operator.devices import profile_of, resource_of
from whisper_operator.observation import ObservedPool, Trouble

_IMAGE_REASONS: Final = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}

_KILLING: Final = timedelta(minutes=2)
"""How long after its time for a start a container may still take to end."""


def observe_pool(
    pool: Pool, deployment: Manifest | None, autoscaler: Manifest | None, pods: Sequence[Manifest]
) -> ObservedPool:
    """Judge a pool by its Deployment, its autoscaler and the pods of the whole resource."""
    if deployment is None:
        return ObservedPool()
    own = [pod for pod in pods if pod["metadata"].get("labels", {}).get(POOL_LABEL) == pool.name]
    spec, status = deployment["spec"], deployment.get("status", {})
    seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    updated, ready = status.get("updatedReplicas", 0), status.get("readyReplicas", 0)
    behind = not seen or updated < min(spec.get("replicas", 1), status.get("replicas", 0))
    return ObservedPool(
        ready=ready,
        rolling=behind and ready > 0,
        trouble=_first_trouble(pool, own, deployment),
        replicas=spec.get("replicas", 1),
        handed_over=any(map(_owns_count, deployment["metadata"].get("managedFields", ()))),
        scaling=_scaling_trouble(autoscaler),
        addresses=tuple(_address(pod) for pod in own if _is_ready(pod) and _address(pod)),
    )


def observe_redis(owner: WhisperDeployment, stateful_set: Manifest | None) -> Trouble | None:
    """Say why a managed Redis does not answer; how one of a person's own does is not looked at."""
    if managed_redis(owner) is None or (stateful_set or {}).get("status", {}).get("readyReplicas", 0):
        return None
    message = f"Redis is not ready: its pod is {redis_name(owner)}-0, and `kubectl describe pod` says why."
    return Trouble("RedisNotReady", message)


def _is_ready(pod: Manifest) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _address(pod: Manifest) -> str:
    return str(pod["status"].get("podIP", ""))


def _owns_count(entry: Mapping[str, Any]) -> bool:
    """Say whether this manager set the count as autoscalers do, through the scale subresource."""
    return entry.get("subresource") == "scale" and "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {})


def _scaling_trouble(autoscaler: Manifest | None) -> Trouble | None:
    """HorizontalPodAutoscalers say ScalingActive, and KEDA's ScaledObjects Ready."""
    for condition in (autoscaler or {}).get("status", {}).get("conditions", ()):
        broken = condition["type"] in {"ScalingActive", "Ready"} and condition["status"] == "False"
        if broken and condition.get("reason") != "ScalingDisabled":
            return Trouble("MetricsMissing", _sentence(condition.get("message", "")))
    return None


def _first_trouble(pool: Pool, pods: Sequence[Manifest], deployment: Manifest) -> Trouble | None:
    for pod in pods:
        trouble = diagnose(pool, pod)
        if trouble is not None:
            return trouble
    # The Deployment alone knows of pods that were never made: a quota, an admission policy, a missing ServiceAccount.
    for condition in deployment.get("status", {}).get("conditions", ()):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return Trouble("PodsRefused", f"Pods are not admitted: {_sentence(condition.get('message', ''))}")
        if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return _slow(pool, "`kubectl describe pod` says what the pod waits for.")
    return None


def diagnose(pool: Pool, pod: Manifest) -> Trouble | None:
    """Say why a pod is not ready and will not be by itself, and what to do."""
    status = pod.get("status", {})
    for condition in status.get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return _unschedulable(pool, condition.get("message", ""))
    containers = [
        *((True, each) for each in status.get("initContainerStatuses", ())),
        *((False, each) for each in status.get("containerStatuses", ())),
    ]
    for fetching, container in containers:
        if not fetching and _outlasted_its_start(pool, container):
            return _slow(pool, "`kubectl logs POD --previous` says how far it came.")
        trouble = _container_trouble(container, fetching=fetching)
        if trouble is not None:
            return trouble
    return None


def _outlasted_its_start(pool: Pool, container: Mapping[str, Any]) -> bool:
    """Say whether the container before this one was ended by its startup probe: after just the time for a start."""
    ended = container.get("lastState", {}).get("terminated") or {}
    if container.get("started") or ended.get("reason") == "OOMKilled":
        return False
    began, end = ended.get("startedAt"), ended.get("finishedAt")
    if not began or not end:
        return False
    spare = datetime.fromisoformat(end) - datetime.fromisoformat(began) - profile_of(pool).startup
    return timedelta() <= spare <= _KILLING


def _slow(pool: Pool, where: str) -> Trouble:
    minutes = profile_of(pool).startup // timedelta(minutes=1)
    message = f"The server was not ready within {minutes} minutes, the time for a start on this device: {where} "
    return Trouble("StartTooSlow", message + "More CPU, a smaller model, or model.cache make starts faster.")


def _unschedulable(pool: Pool, message: str) -> Trouble:
    resource = resource_of(pool)
    if resource is not None and resource in message:
        what = f"No node has a free {resource}: add one, install the device's plugin, or lower the pool's replicas."
        return Trouble("DeviceMissing", what)
    return Trouble("Unschedulable", f"No node takes the pod: {_sentence(message)}")


def _container_trouble(container: Mapping[str, Any], *, fetching: bool) -> Trouble | None:
    waiting = container.get("state", {}).get("waiting", {})
    reason, message = waiting.get("reason", ""), waiting.get("message", "")
    ended = container.get("lastState", {}).get("terminated") or container.get("state", {}).get("terminated") or {}
    if reason in _IMAGE_REASONS:
        image = container.get("image", "")
        return Trouble("ImagePull", f"The image {image} cannot be pulled: check its name and imagePullSecrets.")
    if reason in {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}:
        return Trouble("ContainerNotCreated", f"The container cannot be made: {_sentence(message)}")
    if ended.get("reason") == "OOMKilled" and not container.get("ready"):
        return Trouble("OutOfMemory", "The server needs more memory: raise resources.limits.memory of the pool.")
    if reason == "CrashLoopBackOff":
        return _crashing(ended.get("exitCode"), fetching=fetching)
    return None


def _crashing(exit_code: int | None, *, fetching: bool) -> Trouble:
    if fetching:
        message = "The model cannot be downloaded: check its name, revision, token and the way to the hub, with "
        return Trouble("ModelFetchFailed", message + "`kubectl logs POD -c fetch-model`.")
    code = "" if exit_code is None else f" with code {exit_code}"
    return Trouble("CrashLooping", f"The server ends{code} again and again: see `kubectl logs POD --previous`.")


def _sentence(message: str) -> str:
    return f"{message.rstrip('.')}."
