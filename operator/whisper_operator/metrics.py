"""What the operator measures of itself; the servers' own metrics are theirs."""

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from whisper_operator.api.status import Condition

KeyT = TypeVar("KeyT")

_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class OperatorMetrics:
    """Counts and times passes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._duration = Histogram(
            "whisper_operator_reconcile_duration_seconds", "Time of one pass.", buckets=_BUCKETS, registry=registry
        )
        self._errors = Counter(
            "whisper_operator_reconcile_errors", "Passes that failed, by what failed.", ["error"], registry=registry
        )
        self._conditions = Gauge(
            "whisper_operator_condition",
            "Whether a condition of a resource is True.",
            ["namespace", "name", "type"],
            registry=registry,
        )
        self._known: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
        self._busy = Gauge(
            "whisper_operator_reconcile_queue", "Resources with a pass due or running now.", registry=registry
        )

    def report(self, key: tuple[str, str], conditions: Sequence[Condition]) -> None:
        """Publish the conditions of a resource by namespace and name; with none it is gone."""
        for labels in self._known.pop(key, ()):
            self._conditions.remove(*labels)
        self._known[key] = [(*key, condition.type) for condition in conditions]
        for condition in conditions:
            self._conditions.labels(*key, condition.type).set(condition.status == "True")

    def watch_queue(self, busy: Callable[[], int]) -> None:
        """Publish how many resources have a pass due or running."""
        self._busy.set_function(busy)

    def timed(
        self, run: Callable[[KeyT], Awaitable[timedelta | None]]
    ) -> Callable[[KeyT], Awaitable[timedelta | None]]:
        """Return the same pass, measured."""

        async def measured(key: KeyT) -> timedelta | None:
            began = time.monotonic()
            try:
                return await run(key)
            except Exception as problem:
                self._errors.labels(type(problem).__name__).inc()
                raise
            finally:
                self._duration.observe(time.monotonic() - began)

        return measured
