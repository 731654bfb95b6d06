"""Where the settings say that jobs are kept, and who works at them."""

import time
from datetime import timedelta

from whisper_contract.runtime import RuntimeConfig
from whisper_inference.audio.decoding import AudioLimits
from whisper_inference.errors import InvalidSettings
from whisper_inference.given import given_secret
from whisper_inference.jobs.destinations import DestinationRules
from whisper_inference.jobs.job import RECORD_BYTES
from whisper_inference.jobs.memory import MemoryJobStore
from whisper_inference.jobs.queue import JobPolicy, JobQueue
from whisper_inference.jobs.redis import RedisJobStore
from whisper_inference.jobs.store import Room
from whisper_inference.jobs.webhook import webhook_secret
from whisper_inference.sessions.redis_link import RedisLink


def open_queue(settings: RuntimeConfig, link: RedisLink | None) -> JobQueue:
    """Make the queue: in Redis if there is one, else in this process.

    Raises:
        InvalidSettings: A destination of webhooks means nothing, or there is nothing to sign them with.
    """
    policy = JobPolicy(
        room=Room(settings.job_store_bytes, settings.max_jobs_per_owner),
        retention=timedelta(seconds=settings.job_retention_seconds),
        lease=settings.job_lease_seconds,
        secret=_secret(settings),
        destinations=DestinationRules.of(
            settings.webhook_destinations, settings.webhook_networks, plain_http=settings.webhook_plain_http
        ),
        audio=AudioLimits(
            max_upload_bytes=largest_upload(settings),
            max_duration=settings.max_job_audio_seconds,
            max_decoding=settings.max_decoding_seconds
            * max(1.0, settings.max_job_audio_seconds / settings.max_audio_seconds),
        ),
    )
    return JobQueue(MemoryJobStore(time.time) if link is None else RedisJobStore(link), policy)


def _secret(settings: RuntimeConfig) -> bytes | None:
    if not settings.webhook_destinations:
        return None
    key = given_secret(settings.secret_key, settings.secret_key_file)
    secret = webhook_secret(given_secret(settings.webhook_secret, settings.webhook_secret_file), key)
    if secret is None:
        raise InvalidSettings("Webhooks are signed: set WHISPER_WEBHOOK_SECRET or WHISPER_SECRET_KEY.")
    return secret


def largest_upload(settings: RuntimeConfig) -> int:
    """Return how many bytes a job's recording may have: what does not fit into an empty store is refused as such."""
    return max(0, min(settings.max_job_upload_bytes, settings.job_store_bytes - RECORD_BYTES))
