"""What is measured of the session store."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge

from whisper_contract.surface import Metric


class StoreMetrics:
    """Whether it answers, what it refused, and what the sweep found."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._up = Gauge(Metric.SESSION_STORE_UP, "Whether the session store answers.", registry=registry)
        self._up.set(1)
        self._refusals = Counter(
            Metric.STORE_REFUSALS, "Times that the session store answered and refused.", ["reason"], registry=registry
        )
        self._keys = Gauge(Metric.STORE_KEYS, "Keys that the last sweep of the store saw.", registry=registry)
        self._swept = Gauge(Metric.STORE_SWEPT, "When the store was last swept.", registry=registry)
        self._mended = Counter(
            Metric.STORE_MENDED,
            "Keys of the store without an end, or with one too far away.",
            ["reason"],
            registry=registry,
        )

    def store_answers(self, answers: bool) -> None:  # noqa: FBT001 - the only argument
        """Say whether the session store answers."""
        self._up.set(answers)

    def store_refused(self, reason: str) -> None:
        """Count what the session store would not do."""
        self._refusals.labels(reason).inc()

    def store_swept(self, at: datetime, keys: int) -> None:
        """Publish what the last sweep saw."""
        self._swept.set(at.timestamp())
        self._keys.set(keys)

    def keys_mended(self, reason: str, count: int) -> None:
        """Count keys that were not as they must be."""
        self._mended.labels(reason).inc(count)
