"""Recordings that came in one request: each is a job, and the batch is nothing but its jobs. Pure.

The id of each of them begins with what the batch's id holds, and ends with its number. So they lie side by side in the
list of all jobs, where they are found without an index of their own, and no longer than they are kept.
"""

import re
import secrets
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import BinaryIO, Final, NamedTuple

from whisper_inference.jobs.job import BatchPlace, Job, JobStatus, UnixTime

MOST_FILES: Final = 1000
"""Of a batch, whatever else is allowed: its answer names each."""
BATCH_ID: Final = re.compile(r"batch_[0-9a-f]{28}")


class Recording(NamedTuple):
    """One file of a batch."""

    file: BinaryIO
    name: str | None
    """As its sender calls it."""


class BatchStatus(StrEnum):
    """Where a batch is in its life."""

    QUEUED = "queued"
    """None of its jobs has begun."""
    RUNNING = "running"
    DONE = "done"
    """All of its jobs are over, whatever their end."""


class Batch(NamedTuple):
    """The jobs of a request that are still kept, in the order of its files; at least one."""

    id: str
    jobs: Sequence[Job]
    size: int
    """How many files the request had."""

    @property
    def owner(self) -> str:
        """Whose it is."""
        return self.jobs[0].owner

    @property
    def created(self) -> UnixTime:
        """When it came."""
        return self.jobs[0].created

    @property
    def finished(self) -> UnixTime | None:
        """When its last job was over."""
        ends = [job.finished for job in self.jobs if job.finished is not None]
        return max(ends) if self.status is BatchStatus.DONE else None

    @property
    def status(self) -> BatchStatus:
        """Where it is in its life."""
        if all(job.status.over for job in self.jobs):
            return BatchStatus.DONE
        waiting = self.counts[JobStatus.QUEUED] == self.size
        return BatchStatus.QUEUED if waiting else BatchStatus.RUNNING

    @property
    def progress(self) -> float:
        """From 0 to 1: the mean of its jobs, where one that is over, or forgotten, counts as done."""
        return 1.0 - sum(1.0 - job.progress for job in self.jobs if not job.status.over) / self.size

    @property
    def counts(self) -> Counter[JobStatus]:
        """How many of its jobs are in each state."""
        return Counter(job.status for job in self.jobs)


def gather(jobs: Sequence[Job], names: Sequence[str | None], now: UnixTime) -> Batch:
    """Make new jobs a batch of that moment, in their order."""
    identity = f"batch_{round(now * 1000):012x}{secrets.token_hex(8)}"
    size = len(jobs)
    places = [BatchPlace(id=identity, index=index, size=size, file_name=name) for index, name in enumerate(names)]
    members = [
        job.model_copy(update={"id": _job_id(identity, place.index), "batch": place})
        for job, place in zip(jobs, places, strict=True)
    ]
    return Batch(identity, members, size)


def end_of(identity: str) -> str:
    """Return an id that is behind all jobs of a batch, and before those of the next."""
    return _job_id(identity, 0xFFFF)


def batch_of(identity: str, jobs: Sequence[Job]) -> Batch | None:
    """Pick a batch's jobs out of others; `None` if there is none of them."""
    members = {job.batch.index: job for job in jobs if job.batch is not None and job.batch.id == identity}
    sizes = [job.batch.size for job in members.values() if job.batch is not None]
    return Batch(identity, [members[index] for index in sorted(members)], sizes[0]) if members else None


def _job_id(identity: str, index: int) -> str:
    return f"job_{identity.removeprefix('batch_')}{index:04x}"
