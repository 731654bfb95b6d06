"""Prometheus metrics of one server, in a registry of its own. Names come from the contract."""

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from whisper_contract.surface import Metric
from whisper_inference.engines.base import Capabilities
from whisper_inference.observability.job_metrics import JobMetrics
from whisper_inference.observability.replica_metrics import ReplicaMetrics
from whisper_inference.observability.store_metrics import StoreMetrics
from whisper_inference.observability.stream_metrics import StreamMetrics
from whisper_inference.transcription import DropReason, Seconds

_LATENCY_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_FACTOR_BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 5)
_ROW_BUCKETS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Everything that is measured. Safe to call from any thread."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.jobs = JobMetrics(registry)
        self.store = StoreMetrics(registry)
        self.streams = StreamMetrics(registry)
        self._legacy = Counter(Metric.LEGACY_REQUESTS, "Requests to old names.", ["route"], registry=registry)
        self._requests = Counter(Metric.REQUESTS, "Requests answered.", ["route", "status"], registry=registry)
        self._duration = Histogram(
            Metric.REQUEST_DURATION,
            "Time from the first byte of a request to the last of its answer.",
            ["route"],
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self._factor = Histogram(
            Metric.REAL_TIME_FACTOR,
            "Processing time over audio time of a transcript, waiting included.",
            buckets=_FACTOR_BUCKETS,
            registry=registry,
        )
        self._audio = Counter(Metric.AUDIO, "Audio transcribed, in seconds.", registry=registry)
        self._queue_windows = Gauge(Metric.QUEUE_WINDOWS, "Windows that wait for rows.", registry=registry)
        self._queue_age = Gauge(Metric.QUEUE_AGE, "How long the first of them has waited.", registry=registry)
        self._queue_wait = Histogram(
            Metric.QUEUE_WAIT, "How long windows waited.", buckets=_LATENCY_BUCKETS, registry=registry
        )
        self._batch = Histogram(Metric.BATCH_ROWS, "Rows in a decoder step.", buckets=_ROW_BUCKETS, registry=registry)
        self._slots = Gauge(Metric.SLOTS, "Rows that the decoder batch holds.", registry=registry)
        self._slots_in_use = Gauge(Metric.SLOTS_IN_USE, "Rows that are taken.", registry=registry)
        self._tokens = Counter(Metric.TOKENS, "Tokens decoded.", registry=registry)
        self._speed = Gauge(Metric.TOKENS_PER_SECOND, "Tokens per second of the last decoder step.", registry=registry)
        self._drops = Counter(Metric.GUARD_DROPS, "Spans that the guard withheld.", ["reason"], registry=registry)
        self._outdated = _outdated_gauge(registry)
        self._key_expiry = _key_gauge(registry)
        self._tls_expiry, self._tls_lifetime = _tls_gauges(registry)
        self._limited = Counter(Metric.RATE_LIMITED, "Requests that were one too many.", ["class"], registry=registry)
        self._audit = _audit_counter(registry)
        self._overloads = Counter(Metric.OVERLOADS, "Requests that found the queue full.", registry=registry)
        self.replicas = ReplicaMetrics(registry)
        self._model = Gauge(
            Metric.MODEL,
            "The loaded model and where it runs.",
            ["model", "engine", "device", "device_name", "precision", "simulated"],
            registry=registry,
        )
        for reason in DropReason:
            self._drops.labels(reason.value)

    def request_finished(self, route: str, status: int, seconds: Seconds) -> None:
        """Count an answer; `route` is the template, never the path that was asked for."""
        self._requests.labels(route, str(status)).inc()
        self._duration.labels(route).observe(seconds)

    def transcribed(self, audio_seconds: Seconds, processing_seconds: Seconds) -> None:
        """Count a finished transcript."""
        self._audio.inc(audio_seconds)
        if audio_seconds > 0:
            self._factor.observe(processing_seconds / audio_seconds)

    def queue_changed(self, windows: int, oldest_age_seconds: Seconds) -> None:
        """Publish the queue."""
        self._queue_windows.set(windows)
        self._queue_age.set(oldest_age_seconds)

    def queue_waited(self, seconds: Seconds) -> None:
        """Count a window that got its rows."""
        self._queue_wait.observe(seconds)

    def batch_stepped(self, rows: int, seconds: Seconds) -> None:
        """Count a decoder step."""
        self._batch.observe(rows)
        if seconds > 0:
            self._speed.set(rows / seconds)

    def tokens_decoded(self, count: int) -> None:
        """Count tokens."""
        self._tokens.inc(count)

    def slots_changed(self, in_use: int, total: int) -> None:
        """Publish the batch's rows."""
        self._slots_in_use.set(in_use)
        self._slots.set(total)

    def guard_dropped(self, reason: DropReason) -> None:
        """Count a withheld span."""
        self._drops.labels(reason.value).inc()

    def legacy_called(self, route: str) -> None:
        """Count a call of an old name."""
        self._legacy.labels(route).inc()

    def overloaded(self) -> None:
        """Count a full queue that was met."""
        self._overloads.inc()

    def know_limits(self, limits: Iterable[str]) -> None:
        """Publish that nobody has met any of them yet."""
        for limit in limits:
            self._limited.labels(limit)

    def limited(self, of: str) -> None:
        """Count a request that was one too many of its sender, by the limit that it met."""
        self._limited.labels(of).inc()

    def stream_heard(self, seconds: Seconds) -> None:
        """Count sound that came in a stream; its text follows."""
        self._audio.inc(seconds)

    def stream_open(self) -> AbstractContextManager[None]:
        """Count a stream while the context lasts."""
        return self.streams.open()

    def audit_events(self, sink: str, outcome: str, count: int) -> None:
        """Count audit events."""
        self._audit.labels(sink, outcome).inc(count)

    def passwords_outdated(self, accounts: int) -> None:
        """Publish how many accounts have a hash that was made at another cost than new ones are."""
        self._outdated.set(accounts)

    def follow_keys(self, next_end: Callable[[], datetime | None]) -> None:
        """Publish when the next owner of keys is left without one, as it is when somebody looks."""
        self._key_expiry.set_function(lambda: math.inf if (end := next_end()) is None else end.timestamp())

    def certificate_read(self, name: str, begins: datetime, ends: datetime) -> None:
        """Say how long a certificate is good."""
        self._tls_expiry.labels(name).set(ends.timestamp())
        self._tls_lifetime.labels(name).set((ends - begins).total_seconds())

    def model_loaded(self, model: str, capabilities: Capabilities) -> None:
        """Publish what runs where."""
        self._model.labels(
            model,
            capabilities.engine,
            capabilities.device,
            capabilities.device_name,
            capabilities.precision,
            str(capabilities.simulated).lower(),
        ).set(1)
        self._slots.set(capabilities.max_rows)


def _audit_counter(registry: CollectorRegistry) -> Counter:
    described = "Audit events by where they went and what became of them: delivered, refused, dropped, suppressed."
    return Counter(Metric.AUDIT_EVENTS, described, ["sink", "outcome"], registry=registry)


def _key_gauge(registry: CollectorRegistry) -> Gauge:
    described = "When the first owner of API keys is left without one that is good; +Inf is never."
    gauge = Gauge(Metric.KEY_EXPIRY, described, registry=registry)
    gauge.set(math.inf)
    return gauge


def _tls_gauges(registry: CollectorRegistry) -> tuple[Gauge, Gauge]:
    expiry = Gauge(Metric.TLS_EXPIRY, "When a certificate in use ends.", ["certificate"], registry=registry)
    lifetime = Gauge(Metric.TLS_LIFETIME, "How long it is valid altogether.", ["certificate"], registry=registry)
    return expiry, lifetime


def _outdated_gauge(registry: CollectorRegistry) -> Gauge:
    return Gauge(Metric.OUTDATED_PASSWORDS, "Accounts whose password was hashed at another cost.", registry=registry)
