"""A job, and how it may change. Pure: each change is a new record, or `None` where it is not allowed."""

import re
from enum import StrEnum
from typing import Final, TypeAlias

from pydantic import BaseModel, ConfigDict

from whisper_inference.formats import Rendering
from whisper_inference.quotas.quota import Consumer
from whisper_inference.transcription import Seconds, TranscriptionOptions

UnixTime: TypeAlias = float
"""Seconds since 1970, on the store's clock: the one that all replicas share."""

CHUNK_BYTES: Final = 256 * 1024
"""Audio lies in pieces of this size: a larger one would hold up everybody else who speaks to Redis."""
RECORD_BYTES: Final = 2048
"""What a job counts for besides its audio and its result."""
MOST_ATTEMPTS: Final = 3
"""Workers that may come to nothing, one after the other, before a job counts as failed."""
RECEIVING_SECONDS: Final = 600.0
"""How long the audio of a job may take from this server to the store."""
_PAUSE_SECONDS: Final = 5.0
"""After an attempt that failed."""
JOB_ID: Final = re.compile(r"job_[0-9a-f]{32}")


class JobStatus(StrEnum):
    """Where a job is in its life."""

    RECEIVING = "receiving"
    """Its audio is on the way to the store: nobody knows of it yet."""
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Nothing will change any more."""
        return self in {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED}


class JobOrder(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(frozen=True)

    options: TranscriptionOptions
    rendering: Rendering


class Failure(BaseModel):
    """Why a job failed."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str


class ResultShape(BaseModel):
    """What the result is; it lies beside the record."""

    model_config = ConfigDict(frozen=True)

    media_type: str
    size: int


class WebhookStatus(StrEnum):
    """What became of a webhook."""

    WAITING = "waiting"
    """For the job to be over."""
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class JobWebhook(BaseModel):
    """Who is told when the job is over."""

    model_config = ConfigDict(frozen=True)

    url: str
    status: WebhookStatus = WebhookStatus.WAITING
    tries: int = 0
    problem: str | None = None
    """Of the last try."""


class BatchPlace(BaseModel):
    """Where a job stands in the batch that it came in."""

    model_config = ConfigDict(frozen=True)

    id: str
    """The batch's."""
    index: int
    """Of its file in the request, from 0."""
    size: int
    """How many files the batch had."""
    file_name: str | None
    """As its sender calls it; nothing is ever opened by it."""


class Job(BaseModel):
    """What is known of a job. Its audio, its parts and its result lie beside it."""

    model_config = ConfigDict(frozen=True)

    id: str
    owner: str
    consumer: Consumer
    """Whose audio it counts as."""
    order: JobOrder
    audio_bytes: int
    expected_seconds: Seconds | None
    """How long the recording says that it is."""
    version: int = 1
    """Counts the changes: whoever writes says which one was read."""
    status: JobStatus = JobStatus.RECEIVING
    created: UnixTime
    started: UnixTime | None = None
    finished: UnixTime | None = None
    wake: UnixTime | None = None
    """When somebody has to look: a queued job is due, a lease ends."""
    holder: str | None = None
    """Whose lease it is."""
    attempts: int = 0
    """Workers that began it since it last got on."""
    parts: int = 0
    """Pieces of its audio whose transcripts are kept: the next worker goes on from there."""
    progress: float = 0.0
    audio_seconds: Seconds | None = None
    result: ResultShape | None = None
    failure: Failure | None = None
    webhook: JobWebhook | None = None
    batch: BatchPlace | None = None

    @property
    def chunks(self) -> int:
        """In how many pieces its audio lies."""
        return -(-self.audio_bytes // CHUNK_BYTES)

    @property
    def stored_bytes(self) -> int:
        """What it counts for in the store."""
        beside = 0 if self.result is None else self.result.size
        return RECORD_BYTES + (beside if self.status.over else self.audio_bytes)

    def _changed(self, **changes: object) -> "Job":
        return self.model_copy(update={"version": self.version + 1, **changes})

    def queued(self, now: UnixTime) -> "Job | None":
        """Its audio is in the store."""
        return self._changed(status=JobStatus.QUEUED, wake=now) if self.status is JobStatus.RECEIVING else None

    def taken(self, holder: str, now: UnixTime, lease: Seconds) -> "Job | None":
        """A worker takes it, if it waits or its worker's lease is over."""
        waiting = self.status in {JobStatus.QUEUED, JobStatus.RUNNING} and self.wake is not None and self.wake <= now
        if not waiting:
            return None
        if self.attempts >= MOST_ATTEMPTS:
            message = f"{MOST_ATTEMPTS} workers began it and none got on with it: try it again, or a shorter recording."
            return self._over(JobStatus.FAILED, now, failure=Failure(code="job_abandoned", message=message))
        return self._changed(
            status=JobStatus.RUNNING,
            holder=holder,
            wake=now + lease,
            attempts=self.attempts + 1,
            started=self.started or now,
        )

    def renewed(self, holder: str, now: UnixTime, lease: Seconds, progress: float) -> "Job | None":
        """Its worker says that it is alive."""
        if not self._is_held_by(holder):
            return None
        return self._changed(wake=now + lease, progress=max(self.progress, min(progress, 1.0)))

    def got_on(self, holder: str, parts: int) -> "Job | None":
        """Its worker has kept the transcript of one more piece."""
        return self._changed(parts=parts, attempts=1) if self._is_held_by(holder) else None

    def handed_back(self, holder: str, now: UnixTime) -> "Job | None":
        """Its worker stops, through no fault of the job."""
        if not self._is_held_by(holder):
            return None
        return self._changed(status=JobStatus.QUEUED, holder=None, wake=now, attempts=self.attempts - 1)

    def postponed(self, holder: str, now: UnixTime, seconds: Seconds) -> "Job | None":
        """Its owner has used up what a day allows: it waits, through no fault of its own."""
        back = self.handed_back(holder, now)
        return None if back is None else back.model_copy(update={"wake": now + seconds})

    def retried(self, holder: str, now: UnixTime) -> "Job | None":
        """Its worker met something that may not happen again."""
        if not self._is_held_by(holder):
            return None
        return self._changed(status=JobStatus.QUEUED, holder=None, wake=now + _PAUSE_SECONDS)

    def succeeded(self, holder: str, now: UnixTime, result: ResultShape, audio_seconds: Seconds) -> "Job | None":
        """Its worker is done."""
        if not self._is_held_by(holder):
            return None
        return self._over(JobStatus.SUCCEEDED, now, result=result, audio_seconds=audio_seconds, progress=1.0)

    def failed(self, holder: str, now: UnixTime, failure: Failure) -> "Job | None":
        """Its worker found that it cannot be done."""
        return self._over(JobStatus.FAILED, now, failure=failure) if self._is_held_by(holder) else None

    def cancelled(self, now: UnixTime) -> "Job | None":
        """Its owner does not want it any more."""
        return None if self.status.over else self._over(JobStatus.CANCELLED, now)

    def calling(self, now: UnixTime, lasting: Seconds) -> "Job | None":
        """Somebody calls its webhook, and is the only one for a while."""
        if not self._is_pending() or self.wake is None or self.wake > now:
            return None
        return self._told(now + lasting, tries=self._tries() + 1)

    def called(self, tries: int, problem: str | None, again: UnixTime | None) -> "Job | None":
        """Its webhook was called; `again` says when it is next, if it was in vain and that was not the last time."""
        if not self._is_pending() or self._tries() != tries:
            return None
        status = WebhookStatus.DELIVERED if problem is None else WebhookStatus.FAILED
        return self._told(again, status=status if again is None else WebhookStatus.PENDING, problem=problem)

    def _told(self, wake: UnixTime | None, **changes: object) -> "Job":
        return self._changed(wake=wake, webhook=self.webhook and self.webhook.model_copy(update=changes))

    def _is_pending(self) -> bool:
        return self.webhook is not None and self.webhook.status is WebhookStatus.PENDING

    def _tries(self) -> int:
        return 0 if self.webhook is None else self.webhook.tries

    def _over(self, status: JobStatus, now: UnixTime, **changes: object) -> "Job":
        told = self.webhook and self.webhook.model_copy(update={"status": WebhookStatus.PENDING})
        wake = None if told is None else now
        return self._changed(status=status, finished=now, holder=None, wake=wake, webhook=told, **changes)

    def _is_held_by(self, holder: str) -> bool:
        return self.status is JobStatus.RUNNING and self.holder == holder
