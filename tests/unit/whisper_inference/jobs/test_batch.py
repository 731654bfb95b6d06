"""What a batch is: its jobs, and what follows from them."""

import pytest

from tests.support.jobs import allowed, new_job
from whisper_inference.jobs.batch import BATCH_ID, Batch, BatchStatus, batch_of, end_of, gather
from whisper_inference.jobs.job import JOB_ID, Job, JobStatus


def batch_of_three() -> Batch:
    """Three jobs that wait."""
    drafts = gather([new_job() for _ in range(3)], ["a.wav", None, "c.wav"], 1000.0)
    return drafts._replace(jobs=[allowed(job.queued(1.0)) for job in drafts.jobs])


def running(job: Job, progress: float = 0.0) -> Job:
    return allowed(allowed(job.taken("me", 2.0, 30)).renewed("me", 2.0, 30, progress))


def test_jobs_of_a_batch_lie_side_by_side_behind_one_another() -> None:
    batch = batch_of_three()
    names = [job.id for job in batch.jobs]
    assert BATCH_ID.fullmatch(batch.id)
    assert all(JOB_ID.fullmatch(name) for name in names)
    assert names == sorted(names)
    assert names[-1] < end_of(batch.id) < gather([new_job()], [None], 1000.001).jobs[0].id
    assert [(job.batch.index, job.batch.size, job.batch.file_name) for job in batch.jobs if job.batch] == [
        (0, 3, "a.wav"),
        (1, 3, None),
        (2, 3, "c.wav"),
    ]


def test_a_batch_is_picked_out_of_other_jobs_in_the_order_of_its_files() -> None:
    batch, other = batch_of_three(), batch_of_three()
    mixed = [new_job(), *reversed(batch.jobs), *other.jobs]
    assert batch_of(batch.id, mixed) == batch
    assert batch_of(batch.id, other.jobs) is None
    assert batch_of(batch.id, []) is None


def test_a_batch_whose_job_was_forgotten_still_knows_how_many_there_were() -> None:
    batch = batch_of_three()
    rest = batch_of(batch.id, batch.jobs[1:])
    assert rest is not None
    assert (len(rest.jobs), rest.size) == (2, 3)
    assert rest.status is BatchStatus.RUNNING  # something has become of the first
    assert rest.progress == pytest.approx(1 / 3)


def test_status_and_progress_follow_from_the_jobs() -> None:
    batch = batch_of_three()
    assert (batch.status, batch.progress, batch.finished) == (BatchStatus.QUEUED, 0.0, None)
    first, second, third = batch.jobs
    batch = batch._replace(jobs=[running(first, 0.5), second, third])
    assert (batch.status, round(batch.progress, 3)) == (BatchStatus.RUNNING, 0.167)
    batch = batch._replace(jobs=[allowed(first.cancelled(5.0)), second, third])
    assert (batch.status, round(batch.progress, 3), batch.finished) == (BatchStatus.RUNNING, 0.333, None)
    ended = [allowed(job.cancelled(at)) for job, at in zip(batch_of_three().jobs, (7.0, 9.0, 8.0), strict=True)]
    batch = batch._replace(jobs=ended)
    assert (batch.status, batch.progress, batch.finished) == (BatchStatus.DONE, 1.0, 9.0)
    assert batch.counts == {JobStatus.CANCELLED: 3}
