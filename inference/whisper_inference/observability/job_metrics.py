"""Prometheus metrics of jobs."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from whisper_contract.surface import Metric
from whisper_inference.transcription import Seconds


class JobMetrics:
    """What is measured of jobs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._over = Counter(Metric.JOBS, "Jobs that are over.", ["status"], registry=registry)
        self._running = Gauge(Metric.JOBS_RUNNING, "Jobs that this server works at.", registry=registry)
        self._age = Gauge(
            Metric.JOB_QUEUE_AGE, "How long the first job has waited that nobody works at.", registry=registry
        )
        self._webhooks = Counter(Metric.WEBHOOKS, "Webhooks that were called.", ["outcome"], registry=registry)
        for outcome in ("delivered", "retried", "failed"):
            self._webhooks.labels(outcome)
        for status in ("succeeded", "failed", "cancelled"):
            self._over.labels(status)

    def job_over(self, status: str) -> None:
        """Count a job that is over."""
        self._over.labels(status).inc()

    def webhook_called(self, outcome: str) -> None:
        """Count a call of a webhook."""
        self._webhooks.labels(outcome).inc()

    def jobs_waiting(self, oldest_age_seconds: Seconds) -> None:
        """Publish the queue of jobs."""
        self._age.set(oldest_age_seconds)

    def jobs_running(self, count: int) -> None:
        """Publish what is worked at."""
        self._running.set(count)
