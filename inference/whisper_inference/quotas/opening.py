"""Where the settings say that use is counted, and what they let everybody use."""

import time
from collections.abc import Callable
from datetime import datetime

from whisper_contract.runtime import RuntimeConfig
from whisper_inference.quotas.memory import MemoryQuotas
from whisper_inference.quotas.meter import Meter
from whisper_inference.quotas.quota import Allowance
from whisper_inference.quotas.redis import RedisQuotas
from whisper_inference.quotas.store import QuotaStore
from whisper_inference.quotas.surviving import SurvivingQuotas
from whisper_inference.sessions.redis_link import RedisLink


def make_meter(
    settings: RuntimeConfig, link: RedisLink | None, now: Callable[[], datetime], refused: Callable[[str], None]
) -> Meter:
    """Make the meter: all replicas together where there is a Redis, else for this process.

    Args:
        settings: With what a credential may use.
        link: The way to Redis, if there is one.
        now: The time, with its zone.
        refused: As the meter's.
    """
    usual = Allowance(settings.audio_seconds_per_day, settings.concurrent_requests, settings.concurrent_streams)
    return Meter(usual, make_quota_store(link), now, refused=refused)


def make_quota_store(link: RedisLink | None) -> QuotaStore:
    """Make what counts."""
    local = MemoryQuotas(time.monotonic)
    return local if link is None else SurvivingQuotas(RedisQuotas(link), local)
