"""How a job may change, and how it may not."""

import pytest

from tests.support.jobs import allowed, new_job
from whisper_inference.jobs.job import CHUNK_BYTES, MOST_ATTEMPTS, RECORD_BYTES, Failure, Job, JobStatus, ResultShape

LEASE = 30.0
RESULT = ResultShape(media_type="text/plain", size=12)
FAILURE = Failure(code="unreadable_audio", message="It is damaged.")


def queued() -> Job:
    return allowed(new_job().queued(10.0))


def running(holder: str = "me") -> Job:
    return allowed(queued().taken(holder, 11.0, LEASE))


def test_a_job_goes_from_its_upload_to_its_result() -> None:
    job = running()
    assert (job.status, job.holder, job.wake, job.started, job.attempts) == (JobStatus.RUNNING, "me", 41.0, 11.0, 1)
    done = allowed(job.succeeded("me", 50.0, RESULT, 7.5))
    assert (done.status, done.finished, done.wake, done.holder) == (JobStatus.SUCCEEDED, 50.0, None, None)
    assert (done.progress, done.audio_seconds, done.result) == (1.0, 7.5, RESULT)
    assert done.version == new_job().version + 3


def test_nobody_takes_a_job_before_its_time_or_from_a_worker_that_lives() -> None:
    assert new_job().taken("me", 99.0, LEASE) is None
    assert queued().taken("me", 9.9, LEASE) is None
    assert running().taken("other", 40.9, LEASE) is None
    assert allowed(running().taken("other", 41.0, LEASE)).holder == "other"


def test_a_worker_that_lost_its_job_changes_it_no_more() -> None:
    lost = allowed(running("me").taken("other", 50.0, LEASE))
    assert lost.renewed("me", 51.0, LEASE, 0.5) is None
    assert lost.got_on("me", 1) is None
    assert lost.handed_back("me", 51.0) is None
    assert lost.retried("me", 51.0) is None
    assert lost.succeeded("me", 51.0, RESULT, 7.5) is None
    assert lost.failed("me", 51.0, FAILURE) is None


def test_signs_of_life_lengthen_the_lease_and_progress_never_goes_back() -> None:
    renewed = allowed(running().renewed("me", 20.0, LEASE, 0.5))
    assert (renewed.wake, renewed.progress) == (50.0, 0.5)
    assert allowed(renewed.renewed("me", 21.0, LEASE, 0.2)).progress == 0.5
    assert allowed(renewed.renewed("me", 21.0, LEASE, 7.0)).progress == 1.0


def test_workers_that_come_to_nothing_are_counted_and_those_that_get_on_or_hand_back_are_not() -> None:
    job = queued()
    for attempt in range(MOST_ATTEMPTS):
        job = allowed(job.taken(f"worker {attempt}", 100.0 * (attempt + 1), LEASE))
        assert job.status is JobStatus.RUNNING
    got_on = allowed(job.got_on(job.holder or "", 1))
    assert (got_on.attempts, got_on.parts) == (1, 1)
    back = allowed(job.handed_back(job.holder or "", 400.0))
    assert (back.status, back.attempts, back.wake) == (JobStatus.QUEUED, MOST_ATTEMPTS - 1, 400.0)
    again = allowed(job.retried(job.holder or "", 400.0))
    assert (again.status, again.attempts) == (JobStatus.QUEUED, MOST_ATTEMPTS)
    assert again.wake is not None
    assert again.wake > 400.0
    abandoned = allowed(again.taken("one more", 500.0, LEASE))
    assert (abandoned.status, abandoned.wake) == (JobStatus.FAILED, None)
    assert abandoned.failure is not None
    assert abandoned.failure.code == "job_abandoned"


@pytest.mark.parametrize(
    "over",
    [
        allowed(running().succeeded("me", 50.0, RESULT, 7.5)),
        allowed(running().failed("me", 50.0, FAILURE)),
        allowed(running().cancelled(50.0)),
        allowed(queued().cancelled(50.0)),
    ],
    ids=lambda job: job.status,
)
def test_what_is_over_stays_so(over: Job) -> None:
    assert over.status.over
    assert over.cancelled(60.0) is None
    assert over.queued(60.0) is None
    assert over.taken("me", 600.0, LEASE) is None
    assert over.renewed("me", 60.0, LEASE, 1.0) is None


def test_a_job_counts_for_its_audio_until_it_is_over_and_for_its_result_then() -> None:
    job = new_job(audio_bytes=2 * CHUNK_BYTES + 1)
    assert job.chunks == 3
    assert job.stored_bytes == RECORD_BYTES + 2 * CHUNK_BYTES + 1
    taken = allowed(allowed(job.queued(1.0)).taken("me", 2.0, LEASE))
    assert allowed(taken.succeeded("me", 3.0, RESULT, 1.0)).stored_bytes == RECORD_BYTES + RESULT.size
    assert allowed(job.cancelled(3.0)).stored_bytes == RECORD_BYTES
