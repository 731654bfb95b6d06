"""Jobs for tests of what keeps and changes them."""

import secrets
from datetime import timedelta

from whisper_inference.formats import Rendering
from whisper_inference.jobs.job import Job, JobOrder
from whisper_inference.jobs.store import Room
from whisper_inference.quotas.quota import Consumer
from whisper_inference.transcription import TranscriptionOptions

ROOM = Room(2**20, 100)
LONG = timedelta(minutes=1)


def new_job(owner: str = "anna", *, created: float = 1000.0, audio_bytes: int = 100) -> Job:
    """Make a job whose audio is on the way."""
    identity = f"job_{round(created * 1000):012x}{secrets.token_hex(10)}"
    order = JobOrder(options=TranscriptionOptions(), rendering=Rendering("json"))
    return Job(
        id=identity,
        owner=owner,
        consumer=Consumer(f"key:{owner}"),
        order=order,
        audio_bytes=audio_bytes,
        expected_seconds=None,
        created=created,
    )


def allowed(job: Job | None) -> Job:
    """Take a change that must be allowed."""
    assert job is not None
    return job
