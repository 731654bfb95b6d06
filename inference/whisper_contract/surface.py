"""Ports, paths and metric names: spelled here once, used by the server, the operator, the chart and the alerts."""

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

DEVICE_HEADER: Final = "X-Whisper-Device"
"""Which device computed the answer: a fallback is never silent."""
CORRELATION_HEADER: Final = "X-Request-Id"


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
    OVERLOADS: Final = "whisper_overloads_total"
    MODEL: Final = "whisper_model_info"
