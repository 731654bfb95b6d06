"""The waiting queue: by deadline, first come first served, nobody overtaken."""

import numpy as np

from tests.support.decodings import greedy
from whisper_inference.scheduler.jobs import Job, WindowWork
from whisper_inference.scheduler.waiting import WaitingJobs

WINDOW = np.zeros((2, 3000), dtype=np.float32)


def job(order: int, *, deadline: float = 0.0, rows: int = 1, arrived: float = 0.0) -> Job:
    return Job(WindowWork(WINDOW, greedy((1,), 1), deadline, rows), arrived, order)


def queue_of(*jobs: Job) -> WaitingJobs:
    waiting = WaitingJobs()
    for each in jobs:
        waiting.push(each)
    return waiting


def test_earliest_deadline_goes_first() -> None:
    late, early = job(1, deadline=9.0), job(2, deadline=3.0)
    waiting = queue_of(late, early)
    assert [waiting.pop_fitting(8), waiting.pop_fitting(8), waiting.pop_fitting(8)] == [early, late, None]


def test_equal_deadlines_are_served_as_they_came() -> None:
    second, first = job(2), job(1)
    assert queue_of(second, first).pop_fitting(8) is first


def test_a_narrow_job_does_not_overtake_a_wide_one() -> None:
    wide, narrow = job(1, rows=5), job(2)
    waiting = queue_of(wide, narrow)
    assert waiting.pop_fitting(4) is None
    assert waiting.pop_fitting(5) is wide


def test_cancelled_jobs_are_taken_out() -> None:
    kept, gone = job(1), job(2)
    waiting = queue_of(kept, gone)
    gone.future.cancel()
    assert waiting.remove_cancelled() == [gone]
    assert waiting.remove_all() == [kept]


def test_longest_wait_is_that_of_the_first_to_come() -> None:
    assert queue_of(job(1, arrived=5.0), job(2, arrived=3.0, deadline=99.0)).longest_wait(10.0) == 7.0
    assert WaitingJobs().longest_wait(10.0) == 0.0


def test_a_result_for_nobody_is_let_go() -> None:
    cancelled = job(1)
    cancelled.future.cancel()
    cancelled.succeed("text")
    cancelled.fail(RuntimeError("late"))
    assert cancelled.future.cancelled()
