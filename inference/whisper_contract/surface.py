"""Ports, paths and metric names: spelled here once, used by the server, the operator, the chart and the alerts."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

HTTP_PORT: Final = 8000
"""Where clients speak to the server."""
MANAGEMENT_PORT: Final = 9000
"""Probes and metrics, inside the cluster only: plain HTTP, no key, never published."""

HEALTH_PATH: Final = "/health"
READY_PATH: Final = "/ready"
METRICS_PATH: Final = "/metrics"
TRANSCRIPTIONS_PATH: Final = "/v1/audio/transcriptions"
TRANSLATIONS_PATH: Final = "/v1/audio/translations"
MODELS_PATH: Final = "/v1/models"
OPENAI_PATH: Final = "/v1/"
STREAM_PATH: Final = "/api/v1/stream"
REALTIME_PATH: Final = "/v1/realtime"
CLIENT_SECRETS_PATH: Final = "/v1/realtime/client_secrets"
API_PATH: Final = "/api/v1"
"""Our own routes; OpenAI's have OpenAI's paths."""
DESCRIPTION_PATH: Final = "/openapi.json"
DOCS_PATH: Final = "/docs"
REDOC_PATH: Final = "/redoc"
PAGE_PATH: Final = "/"
"""The page to speak into; a browser shows it."""
PAGE_FILES_PATH: Final = "/web"

LEGACY_PATH: Final = "/api/v0"
"""The names of the service that this one replaces; off by default."""
LEGACY_DEPRECATED: Final = datetime(2026, 11, 25, tzinfo=UTC)
LEGACY_SUNSET: Final = datetime(2027, 5, 25, tzinfo=UTC)
"""From this day on, a release may leave them out."""

DEVICE_HEADER: Final = "X-Whisper-Device"
"""Which device computed the answer: a fallback is never silent."""
CORRELATION_HEADER: Final = "X-Request-Id"
HANDOFF_HEADER: Final = "X-Whisper-Handoff"
"""Of a request that a full replica sends on: the proof that it has been counted. Clients have no use for it."""

RESUME_HEADER: Final = "X-Whisper-Resume"
"""Of a program that goes on with a stream: a full server refuses new ones before it reads their first message."""


class HandoffOutcome(StrEnum):
    """What became of asking another replica to take a request: the label of a metric."""

    ANSWERED = "answered"
    """It did the work."""
    REFUSED = "refused"
    """It had no room after all, or stops; the next one was asked."""
    FAILED = "failed"
    """It could not be reached, or died before its answer; the next one was asked."""
    NOBODY = "nobody"
    """None has room: the client is refused."""


class AuditLoss(StrEnum):
    """Why an event of the audit is missing where it was to be kept: the label `outcome` of a metric."""

    DROPPED = "dropped"
    """There was no room for it while the sink was away."""
    REFUSED = "refused"
    """The sink does not take it."""


class Metric:
    """Prometheus names: base units, no user or session labels."""

    REQUESTS: Final = "whisper_requests_total"
    REQUEST_DURATION: Final = "whisper_request_duration_seconds"
    REAL_TIME_FACTOR: Final = "whisper_real_time_factor"
    AUDIO: Final = "whisper_audio_seconds_total"
    QUEUE_WINDOWS: Final = "whisper_queue_windows"
    QUEUE_AGE: Final = "whisper_queue_age_seconds"
    QUEUE_WAIT: Final = "whisper_queue_wait_seconds"
    BATCH_ROWS: Final = "whisper_batch_rows"
    SLOTS: Final = "whisper_slots"
    SLOTS_IN_USE: Final = "whisper_slots_in_use"
    TOKENS: Final = "whisper_tokens_total"
    TOKENS_PER_SECOND: Final = "whisper_tokens_per_second"
    GUARD_DROPS: Final = "whisper_guard_drops_total"
    LEGACY_REQUESTS: Final = "whisper_legacy_requests_total"
    OVERLOADS: Final = "whisper_overloads_total"
    RATE_LIMITED: Final = "whisper_rate_limited_total"
    HANDOFFS: Final = "whisper_handoffs_total"
    PEERS: Final = "whisper_peers"
    AUDIT_EVENTS: Final = "whisper_audit_events_total"
    SESSION_STORE_UP: Final = "whisper_session_store_up"
    STORE_REFUSALS: Final = "whisper_session_store_refusals_total"
    STORE_KEYS: Final = "whisper_session_store_keys"
    STORE_SWEPT: Final = "whisper_session_store_swept_timestamp_seconds"
    STORE_MENDED: Final = "whisper_session_store_mended_keys_total"
    OUTDATED_PASSWORDS: Final = "whisper_outdated_password_hashes"
    KEY_EXPIRY: Final = "whisper_api_key_expiry_timestamp_seconds"
    TLS_EXPIRY: Final = "whisper_tls_certificate_expiry_timestamp_seconds"
    TLS_LIFETIME: Final = "whisper_tls_certificate_lifetime_seconds"
    STREAMS: Final = "whisper_streams"
    STREAM_SLOTS: Final = "whisper_stream_slots"
    STREAM_SLOTS_FREE: Final = "whisper_stream_slots_free"
    STREAM_LOAD: Final = "whisper_stream_load_ratio"
    STREAM_REFUSALS: Final = "whisper_stream_refusals_total"
    STREAM_LAG: Final = "whisper_stream_lag_seconds"
    JOBS: Final = "whisper_jobs_total"
    JOBS_RUNNING: Final = "whisper_jobs_running"
    WEBHOOKS: Final = "whisper_webhook_deliveries_total"
    JOB_QUEUE_AGE: Final = "whisper_job_queue_age_seconds"
    MODEL: Final = "whisper_model_info"
