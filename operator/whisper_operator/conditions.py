"""What the resource says of itself: from spec, plan and what was found to the status. Pure.

Every reason is part of the API: docs/operations.md says what to do about each.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.api.status import Condition, ConditionStatus, PoolStatus, WhisperDeploymentStatus
from whisper_operator.children.names import label_selector, pool_selector, service_url
from whisper_operator.observation import Observed, ObservedPool, Trouble
from whisper_operator.plan import Plan, PlannedPool

ACCEPTED: Final = "Accepted"
CREDENTIALS_READY: Final = "CredentialsReady"
REDIS_READY: Final = "RedisReady"
TLS_READY: Final = "TlsReady"
MODEL_READY: Final = "ModelReady"
AVAILABLE: Final = "Available"
PROGRESSING: Final = "Progressing"
FALLBACK_ACTIVE: Final = "FallbackActive"
AUTOSCALING_READY: Final = "AutoscalingReady"

_STARTING: Final = Trouble("Starting", "The pods load their model; the first start on a device also compiles it.")


@dataclass(frozen=True, slots=True)
class _Finding:
    """A condition without its times."""

    type: str
    status: ConditionStatus
    reason: str
    message: str


def assess(owner: WhisperDeployment, observed: Observed, plan: Plan, now: datetime) -> WhisperDeploymentStatus:
    """Judge everything and return the status to be written.

    Args:
        owner: The resource with its last status: a condition that says the same keeps its time.
        observed: What was found.
        plan: What the pools should run.
        now: The time.
    """
    findings = (
        _accepted(observed),
        _credentials(observed),
        _redis(owner, observed),
        _tls(owner, observed),
        _model(observed, plan),
        _available(observed, plan),
        _progressing(observed, plan),
        _fallback(owner, observed, plan),
        _autoscaling(observed, plan),
    )
    before = {pool.name: pool for pool in owner.status.pools}
    pools = tuple(
        _pool_status(planned, _found(planned, observed), before.get(planned.pool.name)) for planned in plan.pools
    )
    first = owner.spec.pools[0].name
    return WhisperDeploymentStatus(
        observed_generation=owner.metadata.generation,
        conditions=_dated(findings, owner, now),
        pools=pools,
        pools_summary=", ".join(f"{pool.name} {pool.ready}/{pool.desired}" for pool in pools),
        capacity=_sum(pool.stream_slots for pool in pools),
        usage=_sum(pool.streams for pool in pools),
        replicas=pools[0].ready,
        selector=label_selector(pool_selector(owner.metadata.name, first)),
        url=service_url(owner),
    )


def refuse(owner: WhisperDeployment, problem: Trouble, now: datetime) -> WhisperDeploymentStatus:
    """Return the last status with the resource not accepted: what runs is left as it is."""
    finding = _Finding(ACCEPTED, "False", problem.reason, problem.message)
    kept = {condition.type: condition for condition in owner.status.conditions}
    fresh = _dated((finding,), owner, now)
    kept |= {condition.type: condition for condition in fresh}
    update = {"conditions": tuple(kept.values()), "observed_generation": owner.metadata.generation}
    return owner.status.model_copy(update=update)


def _accepted(observed: Observed) -> _Finding:
    if observed.conflicts:
        names = ", ".join(observed.conflicts)
        message = f"These objects have our names and are not ours: {names}. Rename or delete them."
        return _Finding(ACCEPTED, "False", "NameConflict", message)
    if observed.refusals:
        return _Finding(ACCEPTED, "False", "ChildRefused", " ".join(observed.refusals))
    if observed.missing:
        message = f"The cluster has no {', '.join(observed.missing)}: install what brings it, or remove the field."
        return _Finding(ACCEPTED, "False", "ApiMissing", message)
    return _Finding(ACCEPTED, "True", "Accepted", "Everything that was asked for is applied.")


def _credentials(observed: Observed) -> _Finding:
    if observed.credentials is not None:
        trouble = observed.credentials
        return _Finding(CREDENTIALS_READY, "False", trouble.reason, trouble.message)
    return _Finding(CREDENTIALS_READY, "True", "KeysFound", "The Secret has the server's keys.")


def _redis(owner: WhisperDeployment, observed: Observed) -> _Finding:
    if observed.redis is not None:
        return _Finding(REDIS_READY, "False", observed.redis.reason, observed.redis.message)
    if owner.spec.redis is None:
        return _Finding(REDIS_READY, "True", "NotAsked", "Each pod keeps its own sessions.")
    if owner.spec.redis.managed is None:
        return _Finding(REDIS_READY, "True", "AddressFound", "The Secret has the address; the pods say if it answers.")
    return _Finding(REDIS_READY, "True", "Answers", "Redis answers.")


def _tls(owner: WhisperDeployment, observed: Observed) -> _Finding:
    if observed.tls is not None:
        return _Finding(TLS_READY, "False", observed.tls.reason, observed.tls.message)
    if owner.spec.tls is None:
        return _Finding(TLS_READY, "True", "NotAsked", "The server speaks plain HTTP inside the cluster.")
    return _Finding(TLS_READY, "True", "CertificateFound", "The Secret has a certificate and its key.")


_OF_THE_MODEL: Final = {"ModelFetchFailed", "OutOfMemory", "CrashLooping", "StartTooSlow"}
"""What keeps a model from being loaded, rather than a pod from running."""


def _model(observed: Observed, plan: Plan) -> _Finding:
    found = [_found(planned, observed) for planned in plan.pools]
    if any(pool.ready for pool in found):
        return _Finding(MODEL_READY, "True", "Loaded", "A pod has loaded the model and transcribed a clip with it.")
    troubles = (pool.trouble for pool in found if pool.trouble is not None)
    trouble = next((each for each in troubles if each.reason in _OF_THE_MODEL), None)
    if trouble is not None:
        return _Finding(MODEL_READY, "False", trouble.reason, trouble.message)
    return _Finding(MODEL_READY, "Unknown", "NotLoaded", "No pod has loaded the model yet.")


def _available(observed: Observed, plan: Plan) -> _Finding:
    if any(_found(planned, observed).ready for planned in plan.pools):
        if all(planned.serving for planned in plan.pools if planned.replicas):
            return _Finding(AVAILABLE, "True", "AllPoolsServing", "Every pool meets its replicas.")
        short = next(planned for planned in plan.pools if planned.replicas and not planned.serving)
        return _Finding(AVAILABLE, "True", "SomePodsServing", _sentence(short, observed))
    trouble = _trouble(plan.pools[0], observed)
    return _Finding(AVAILABLE, "False", trouble.reason, f"No pod answers. {_sentence(plan.pools[0], observed)}")


def _progressing(observed: Observed, plan: Plan) -> _Finding:
    active = [planned for planned in plan.pools if planned.replicas]
    for planned in active:
        if _found(planned, observed).trouble:
            return _Finding(PROGRESSING, "False", "Stuck", _sentence(planned, observed))
    for planned in active:
        if _found(planned, observed).rolling:
            return _Finding(PROGRESSING, "True", "RollingOut", f"Pool {planned.pool.name} replaces its pods.")
    for planned in active:
        if not planned.serving:
            return _Finding(PROGRESSING, "True", "Starting", _sentence(planned, observed))
    return _Finding(PROGRESSING, "False", "Settled", "Every pod is as it should be.")


def _fallback(owner: WhisperDeployment, observed: Observed, plan: Plan) -> _Finding:
    active = plan.standing_in
    if active is not None:
        missed = next(planned for planned in plan.pools if planned.pool.name == active.stands_in_for)
        reason = "Recovering" if missed.serving else _trouble(missed, observed).reason
        message = f"Pool {active.pool.name} stands in for {missed.pool.name}. {_sentence(missed, observed)}"
        return _Finding(FALLBACK_ACTIVE, "True", reason, message)
    if owner.spec.fallback.strict:
        return _Finding(FALLBACK_ACTIVE, "False", "Strict", "fallback.strict forbids every stand-in.")
    if not any(planned.pool.standby for planned in plan.pools):
        return _Finding(FALLBACK_ACTIVE, "False", "NoStandby", "No pool is a standby.")
    return _Finding(FALLBACK_ACTIVE, "False", "NotNeeded", "No pool has fallen short for longer than fallback.after.")


def _autoscaling(observed: Observed, plan: Plan) -> _Finding:
    asked = [planned for planned in plan.pools if planned.pool.autoscaling is not None]
    if not asked:
        return _Finding(AUTOSCALING_READY, "True", "NotAsked", "No pool autoscales.")
    for planned in asked:
        trouble = _found(planned, observed).scaling
        if trouble is not None:
            message = f"Pool {planned.pool.name} keeps {planned.replicas} pods. {trouble.message}"
            return _Finding(AUTOSCALING_READY, "False", trouble.reason, message)
    return _Finding(AUTOSCALING_READY, "True", "Scaling", "Each pool that autoscales has its autoscaler.")


def _found(planned: PlannedPool, observed: Observed) -> ObservedPool:
    return observed.pools.get(planned.pool.name, ObservedPool())


def _trouble(planned: PlannedPool, observed: Observed) -> Trouble:
    return observed.credentials or observed.tls or _found(planned, observed).trouble or _STARTING


def _sentence(planned: PlannedPool, observed: Observed) -> str:
    ready = _found(planned, observed).ready
    count = f"Pool {planned.pool.name} has {ready} of {planned.replicas} pods ready."
    return count if planned.serving else f"{count} {_trouble(planned, observed).message}"


def _sum(figures: Iterable[int | None]) -> int | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known else None


_FIGURES: Final = ("slots", "slots_in_use", "stream_slots", "streams")


def _figures(found: ObservedPool, before: PoolStatus | None) -> dict[str, int | None]:
    """Return how busy a pool is, in steps: or the status would be written each time somebody speaks."""
    if not found.ready:
        return {}
    if found.busy is None:
        return {} if before is None else before.model_dump(include=set(_FIGURES))
    rows, streams = found.busy
    could_be = _steady(streams.total, None if before is None else before.stream_slots)
    return {
        "slots": rows.total,
        "slots_in_use": _in_steps(rows.in_use, rows.total),
        "stream_slots": could_be,
        "streams": _in_steps(streams.in_use, could_be),
    }


def _in_steps(in_use: int, total: int) -> int:
    step = max(1, total // 8)
    return -(-in_use // step) * step


def _steady(measured: int, before: int | None) -> int:
    """Return what was measured where that is more than an eighth away from what was said last."""
    return before if before is not None and abs(measured - before) <= before // 8 else measured


def _pool_status(planned: PlannedPool, found: ObservedPool, before: PoolStatus | None) -> PoolStatus:
    trouble = found.trouble if planned.replicas else None
    return PoolStatus(
        name=planned.pool.name,
        device=planned.pool.device,
        desired=planned.replicas,
        ready=found.ready,
        serving=planned.serving,
        since=planned.since,
        stands_in_for=planned.stands_in_for,
        **_figures(found, before),
        reason=trouble.reason if trouble else None,
        message=trouble.message[:1024] if trouble else None,
    )


def _dated(findings: Iterable[_Finding], owner: WhisperDeployment, now: datetime) -> tuple[Condition, ...]:
    before = {condition.type: condition for condition in owner.status.conditions}

    def dated(finding: _Finding) -> Condition:
        """Keep the time of the last change where the status is what it was."""
        last = before.get(finding.type)
        return Condition(
            type=finding.type,
            status=finding.status,
            reason=finding.reason,
            message=finding.message,
            last_transition_time=last.last_transition_time if last and last.status == finding.status else now,
            observed_generation=owner.metadata.generation,
        )

    return tuple(dated(finding) for finding in findings)
