"""What lets a pool's count follow its work: a HorizontalPodAutoscaler, or KEDA's ScaledObject.

https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
https://keda.sh/docs/latest/scalers/prometheus/
"""

from typing import Any, Final, NamedTuple

from whisper_contract.surface import Metric
from whisper_operator.api.autoscaling import Autoscaling
from whisper_operator.api.base import duration
from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.names import Manifest, metadata, pool_name
from whisper_operator.plan import Plan, PlannedPool

_SLOTS_IN_USE: Final = 6
"""Of 8: a pod more is on its way before the last row is taken."""
_QUEUE_AGE_SECONDS: Final = 2.0
_STREAM_LOAD: Final = 75


class _Targets(NamedTuple):
    """What to aim at, of what is asked for."""

    slots: int | None
    age_seconds: float | None
    stream_load: int | None
    """Percent."""


def build_autoscalers(owner: WhisperDeployment, plan: Plan) -> tuple[Manifest, ...]:
    """Build one for each pool that asks for it and should run: a standby that rests is not scaled."""
    return tuple(
        _autoscaler(owner, planned, planned.pool.autoscaling)
        for planned in plan.pools
        if planned.pool.autoscaling is not None and planned.replicas
    )


def _autoscaler(owner: WhisperDeployment, planned: PlannedPool, wish: Autoscaling) -> Manifest:
    name = pool_name(owner.metadata.name, planned.pool.name)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    whole = metadata(owner, name)
    if wish.prometheus is None:
        spec = {
            "scaleTargetRef": target,
            "minReplicas": wish.min_replicas,
            "maxReplicas": wish.max_replicas,
            "metrics": _metrics(wish),
        }
        return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": whole, "spec": spec}
    pods = f'{{namespace="{owner.metadata.namespace}",pod=~"{name}-.*"}}'
    spec = {
        "scaleTargetRef": target,
        "minReplicaCount": wish.min_replicas,
        "maxReplicaCount": wish.max_replicas,
        "triggers": _triggers(wish, wish.prometheus, pods),
    }
    return {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": whole, "spec": spec}


def _targets(wish: Autoscaling) -> _Targets:
    if (wish.slots_in_use, wish.queue_age, wish.stream_load, wish.cpu) == (None, None, None, None):
        return _Targets(_SLOTS_IN_USE, _QUEUE_AGE_SECONDS, _STREAM_LOAD)
    age_seconds = duration(wish.queue_age).total_seconds() if wish.queue_age else None
    return _Targets(wish.slots_in_use, age_seconds, wish.stream_load)


def _metrics(wish: Autoscaling) -> list[dict[str, Any]]:
    aim = _targets(wish)
    metrics: list[dict[str, Any]] = []
    if aim.slots is not None:
        metrics.append(_of_pods(Metric.SLOTS_IN_USE, str(aim.slots)))
    if aim.age_seconds is not None:
        metrics.append(_of_pods(Metric.QUEUE_AGE, f"{aim.age_seconds:g}"))
    if aim.stream_load is not None:
        metrics.append(_of_pods(Metric.STREAM_LOAD, f"{10 * aim.stream_load}m"))
    if wish.cpu is not None:
        target = {"type": "Utilization", "averageUtilization": wish.cpu}
        metrics.append({"type": "Resource", "resource": {"name": "cpu", "target": target}})
    return metrics


def _of_pods(metric: str, average: str) -> dict[str, Any]:
    target = {"type": "AverageValue", "averageValue": average}
    return {"type": "Pods", "pods": {"metric": {"name": metric}, "target": target}}


def _triggers(wish: Autoscaling, server: str, pods: str) -> list[dict[str, Any]]:
    aim = _targets(wish)
    triggers = []
    if aim.slots is not None:
        triggers.append(_trigger(server, f"sum({Metric.SLOTS_IN_USE}{pods})", str(aim.slots), "AverageValue"))
    if aim.age_seconds is not None:
        # The oldest of all queues is not shared out among the pods, and neither is a ratio.
        triggers.append(_trigger(server, f"max({Metric.QUEUE_AGE}{pods})", f"{aim.age_seconds:g}", "Value"))
    if aim.stream_load is not None:
        load = f"{aim.stream_load / 100:g}"
        triggers.append(_trigger(server, f"avg({Metric.STREAM_LOAD}{pods})", load, "Value"))
    return triggers


def _trigger(server: str, query: str, threshold: str, kind: str) -> dict[str, Any]:
    # A metric that is missing is not 0: pods that nobody measures would be taken away.
    asked = {"serverAddress": server, "query": query, "threshold": threshold, "ignoreNullValues": "false"}
    return {"type": "prometheus", "metricType": kind, "metadata": asked}
