"""How many pods each pool should run now, and which pool stands in for which. Pure.

A standby runs while an earlier pool has fallen short for longer than `fallback.after`, and stops when that pool has
been well for as long. What it remembers between two passes is in the status: since when each pool has been as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from whisper_operator.api.base import duration
from whisper_operator.api.pool import Pool
from whisper_operator.api.spec import WhisperDeploymentSpec
from whisper_operator.api.status import PoolStatus
from whisper_operator.observation import ObservedPool


@dataclass(frozen=True, slots=True)
class PlannedPool:
    """A pool and what it should run."""

    pool: Pool
    replicas: int
    serving: bool
    """It meets its count."""
    since: datetime
    """Since when it does, or does not."""
    stands_in_for: str | None = None
    """The pool that falls short, where this is a standby that runs."""
    handed_over: bool = False
    """An autoscaler decides the count, and `replicas` is what it decided."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All pools in order."""

    pools: tuple[PlannedPool, ...]
    look_again_after: timedelta | None = None
    """When time alone may change the plan."""

    @property
    def standing_in(self) -> PlannedPool | None:
        """The first standby that runs."""
        return next((planned for planned in self.pools if planned.stands_in_for), None)


def plan_pools(
    spec: WhisperDeploymentSpec, observed: Mapping[str, ObservedPool], before: Sequence[PoolStatus], now: datetime
) -> Plan:
    """Decide what each pool should run.

    Args:
        spec: What is asked for.
        observed: What there is, by the pool's name; a pool that is missing has nothing.
        before: The pools of the last status.
        now: The time.
    """
    patience = duration(spec.fallback.after)
    known = {status.name: status for status in before}
    covered = {status.stands_in_for for status in before}
    uncovered: list[str] = []
    planned: list[PlannedPool] = []
    for pool, wanted in _counts(spec):
        last = known.get(pool.name)
        found = observed.get(pool.name, ObservedPool())
        serving, since = _state(found, wanted, last, now)
        current = _scaled(PlannedPool(pool, wanted, serving, since), found)
        settled = now - since >= patience
        if not pool.standby:
            if _falls_short(serving=serving, settled=settled, covered=pool.name in covered):
                uncovered.append(pool.name)
        else:
            target = None if spec.fallback.strict else next(iter(uncovered), None)
            current = _standby(current, last, target, now)
            if target and not _failed(current, patience, now):
                uncovered.remove(target)
        planned.append(current)
    return Plan(tuple(planned), _next_change(planned, patience, now))


def _counts(spec: WhisperDeploymentSpec) -> Iterator[tuple[Pool, int]]:
    """Yield each pool with what it must have to serve: of an autoscaled one, its minimum."""
    for pool, count in zip(spec.pools, (spec.replicas, *(pool.replicas or 1 for pool in spec.pools[1:])), strict=True):
        yield pool, count if pool.autoscaling is None else pool.autoscaling.min_replicas


def _scaled(planned: PlannedPool, found: ObservedPool) -> PlannedPool:
    """Keep the count that an autoscaled pool has: it is the autoscaler's, or was until this pass."""
    wish = planned.pool.autoscaling
    if wish is None or found.replicas == 0:
        return planned
    kept = min(max(found.replicas, wish.min_replicas), wish.max_replicas)
    return replace(planned, replicas=kept, handed_over=found.handed_over)


def _state(observed: ObservedPool, wanted: int, last: PoolStatus | None, now: datetime) -> tuple[bool, datetime]:
    enough = wanted - 1 if observed.rolling else wanted
    serving = observed.ready >= max(1, enough)
    return serving, last.since if last is not None and last.serving == serving else now


def _falls_short(*, serving: bool, settled: bool, covered: bool) -> bool:
    """Whether someone must stand in: after patience with what is bad, and until patience with what is good again."""
    return covered and not settled if serving else covered or settled


def _standby(planned: PlannedPool, last: PoolStatus | None, target: str | None, now: datetime) -> PlannedPool:
    if target is None:
        return replace(planned, replicas=0, handed_over=False)
    # Before it was asked to run it did not fall short: its time begins now.
    began = now if last is None or last.desired == 0 else planned.since
    return replace(planned, since=began, stands_in_for=target)


def _failed(standby: PlannedPool, patience: timedelta, now: datetime) -> bool:
    """A standby that has not come up in its time: the next one is asked."""
    return not standby.serving and now - standby.since >= patience


def _next_change(planned: Sequence[PlannedPool], patience: timedelta, now: datetime) -> timedelta | None:
    if not any(each.pool.standby for each in planned):
        return None
    waits = (patience - (now - each.since) for each in planned)
    return min((wait for wait in waits if wait > timedelta()), default=None)
