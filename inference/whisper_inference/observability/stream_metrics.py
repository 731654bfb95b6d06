"""What is measured of live speech."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from whisper_contract.surface import Metric
from whisper_inference.transcription import Seconds

_LAG_BUCKETS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30)


class Standing(Protocol):
    """How many streams there could be."""

    @property
    def capacity(self) -> int:
        """In all."""
        ...

    @property
    def free(self) -> int:
        """More than there are."""
        ...

    @property
    def load(self) -> float:
        """The part that is taken."""
        ...


class StreamMetrics:
    """How many streams there are and could be, and how late their text comes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._open = Gauge(Metric.STREAMS, "Streams that are open.", registry=registry)
        self._slots = Gauge(
            Metric.STREAM_SLOTS, "Streams that the engine could follow, as it measures.", registry=registry
        )
        self._free = Gauge(Metric.STREAM_SLOTS_FREE, "How many more than are open.", registry=registry)
        self._load = Gauge(Metric.STREAM_LOAD, "The part of them that is open, 0 to 1.", registry=registry)
        self._refusals = Counter(Metric.STREAM_REFUSALS, "Streams that found no room.", registry=registry)
        self._lag = Histogram(
            Metric.STREAM_LAG,
            "From the newest sound of a hypothesis to its text.",
            buckets=_LAG_BUCKETS,
            registry=registry,
        )

    def open(self) -> AbstractContextManager[None]:
        """Count a stream while the context lasts."""
        return self._open.track_inprogress()

    def follow(self, standing: Callable[[], Standing]) -> None:
        """Publish how many there could be, as it is when somebody looks."""
        self._slots.set_function(lambda: standing().capacity)
        self._free.set_function(lambda: standing().free)
        self._load.set_function(lambda: standing().load)

    def answered(self, seconds: Seconds) -> None:
        """Count a hypothesis that took so long."""
        self._lag.observe(seconds)

    def refused(self) -> None:
        """Count a stream that found no room."""
        self._refusals.inc()
