"""What the engine's thread does: admit, encode, step all rows of all jobs at once, hand logits out, again.

No thread, lock or event loop is in here: one thread owns an `EngineLoop`, and a test can be that thread.
"""

import logging
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from whisper_inference.arrays import FloatArray
from whisper_inference.decoding.requests import Align, Start, Step
from whisper_inference.engines.base import Engine, RowId
from whisper_inference.errors import EngineFailed
from whisper_inference.scheduler.health import EngineHealth
from whisper_inference.scheduler.jobs import Job
from whisper_inference.scheduler.observer import SchedulerObserver
from whisper_inference.scheduler.rows import plan_rows
from whisper_inference.scheduler.spending import Spending
from whisper_inference.scheduler.waiting import WaitingJobs
from whisper_inference.timing import Clock
from whisper_inference.transcription import Seconds

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Share:
    """A job's part of a step: the rows `first` to `end` of the batch."""

    job: Job
    first: int
    end: int


_Batch: TypeAlias = tuple[list[_Share], list[RowId], list[int]]


class EngineLoop:
    """Drives all jobs through one engine, a turn at a time."""

    def __init__(
        self, engine: Engine, windows_per_turn: int, patience: Seconds, observer: SchedulerObserver, clock: Clock
    ) -> None:
        self._engine = engine
        self._max_rows = engine.capabilities.max_rows
        self._windows_per_turn = windows_per_turn
        self._observer = observer
        self._clock = clock
        self._waiting = WaitingJobs()
        self._active: list[Job] = []
        self._reserved_rows = 0
        self.health = EngineHealth(clock(), patience)
        self.busy_seconds: Seconds = 0.0
        """Time spent in turns since the beginning."""
        self.spending = Spending()

    @property
    def has_work(self) -> bool:
        """Another turn is worth it."""
        return bool(self._active) or len(self._waiting) > 0

    @property
    def slots_in_use(self) -> int:
        """Rows that are taken."""
        return self._reserved_rows

    @property
    def waiting_windows(self) -> int:
        """Windows that wait for rows."""
        return len(self._waiting)

    def add(self, job: Job) -> None:
        """Let a job wait for its rows."""
        self._waiting.push(job)
        self.health.work_arrived(self._clock())

    def turn(self) -> None:
        """Admit and encode what fits, then step every row once."""
        began = self._clock()
        self._drop_cancelled()
        self._admit_waiting()
        # Again: whoever left while windows were encoded must not cost a step.
        self._drop_cancelled()
        self._step()
        now = self._clock()
        self.busy_seconds += now - began
        self._observer.queue_changed(len(self._waiting), self._waiting.longest_wait(now))
        if not self.has_work:
            self.health.work_done()

    def abandon(self, problem: Exception) -> None:
        """Fail every job that is left and free what the engine holds for it."""
        for job in [*self._waiting.remove_all(), *self._active]:
            self._leave(job)
            job.fail(problem)
        self._observer.queue_changed(0, 0.0)
        self.health.work_done()

    # Joining and leaving

    def _drop_cancelled(self) -> None:
        for job in [*self._waiting.remove_cancelled(), *(job for job in self._active if job.cancelled)]:
            self._leave(job)

    def _admit_waiting(self) -> None:
        # Each window that is encoded holds up the rows that run: a few at a time, and then a step.
        for _ in range(self._windows_per_turn):
            job = self._waiting.pop_fitting(self._max_rows - self._reserved_rows)
            if job is None:
                return
            self._begin(job)

    def _begin(self, job: Job) -> None:
        self._observer.queue_waited(self._clock() - job.arrived)
        self._active.append(job)
        self._reserve(job.work.rows)
        began = self._clock()
        try:
            job.window = self._engine.encode(job.work.log_mel)
        except Exception as problem:  # noqa: BLE001 - whatever a device raises ends this job and no other
            self._fail_engine([job], problem)
            return
        now = self._clock()
        self.spending.spend(job, now - began)
        self.health.progressed(now)
        self._advance(job, None)
        self._settle(job)

    def _reserve(self, rows: int) -> None:
        self._reserved_rows += rows
        self._observer.slots_changed(self._reserved_rows, self._max_rows)

    def _leave(self, job: Job) -> None:
        try:
            job.work.decoding.close()
        except Exception:
            logger.exception("A decoding failed to end")
        if job in self._active:
            self._active.remove(job)
            self._reserve(-job.work.rows)
        if job.window is not None:
            window, job.window = job.window, None
            try:
                self._engine.release(window)
            except Exception:
                self.health.failed()
                logger.exception("The engine failed to release a window")

    # Driving

    def _advance(self, job: Job, answer: FloatArray | None) -> None:
        """Send the answer that the decoding waits for. Calls no engine: others may still have to read theirs."""
        decoding = job.work.decoding
        try:
            job.request = next(decoding) if answer is None else decoding.send(answer)
        except StopIteration as done:
            self.health.window_done()
            self.spending.window_done(job)
            job.end = partial(job.succeed, done.value)
        except Exception as problem:  # noqa: BLE001 - the rules' own failure is this job's result
            job.end = partial(job.fail, problem)

    def _settle(self, job: Job) -> None:
        """Answer what concerns this job alone, until it waits for a step or has ended."""
        while job.end is None and isinstance(job.request, Start | Align):
            began = self._clock()
            try:
                answer = self._answer(job, job.request)
            except Exception as problem:  # noqa: BLE001 - whatever a device raises ends this job and no other
                self._fail_engine([job], problem)
                return
            now = self._clock()
            self.spending.spend(job, now - began)
            self.health.progressed(now)
            self._advance(job, answer)
        if job.end is not None:
            self._leave(job)
            job.end()

    def _answer(self, job: Job, request: Start | Align) -> FloatArray:
        if job.window is None:
            raise ValueError("a job without a window has nothing to ask")
        if isinstance(request, Align):
            return self._engine.align(job.window, request.tokens)
        if request.rows > job.work.rows:
            raise ValueError(f"a decoding that said {job.work.rows} rows starts {request.rows}")
        if job.rows:
            self._engine.finish(job.rows)
            job.rows = []
        job.rows, logits = self._engine.start(job.window, request.tokens, request.rows, request.logits_at)
        return logits

    def _step(self) -> None:
        shares, rows, tokens = self._gather()
        if not shares:
            return
        began = self._clock()
        try:
            logits = self._engine.step(rows, tokens)
        except Exception as problem:  # noqa: BLE001 - whatever a device raises ends these jobs and not the loop
            self._fail_engine([share.job for share in shares], problem)
            return
        now = self._clock()
        self.health.progressed(now)
        for share in shares:
            self.spending.spend(share.job, (now - began) * (share.end - share.first) / len(rows))
        self._observer.batch_stepped(len(rows), now - began)
        self._observer.tokens_decoded(len(rows))
        # First everyone reads, then anyone may ask the engine again: its next answer may overwrite this one.
        for share in shares:
            self._advance(share.job, logits[share.first : share.end])
        for share in shares:
            self._settle(share.job)

    def _gather(self) -> _Batch:
        shares: list[_Share] = []
        rows: list[RowId] = []
        tokens: list[int] = []
        for job in tuple(self._active):
            if not isinstance(job.request, Step):
                continue
            try:
                self._arrange(job, job.request.sources)
            except Exception as problem:  # noqa: BLE001 - whatever a device raises ends this job and no other
                self._fail_engine([job], problem)
                continue
            shares.append(_Share(job, len(rows), len(rows) + len(job.rows)))
            rows += job.rows
            tokens += job.request.tokens
        return shares, rows, tokens

    def _arrange(self, job: Job, sources: tuple[int, ...]) -> None:
        """Put the job's rows in the order of its step."""
        if sources == (0,) and len(job.rows) == 1:  # greedy decoding: nearly always
            return
        plan = plan_rows(job.rows, sources)
        if plan.copy_to:
            self._engine.copy_rows(plan.copy_from, plan.copy_to)
        if plan.leaving:
            self._engine.finish(plan.leaving)
        job.rows = plan.rows

    def _fail_engine(self, jobs: list[Job], problem: Exception) -> None:
        self.health.failed()
        logger.error("The engine failed with %d windows in hand", len(jobs), exc_info=problem)
        for job in jobs:
            self._leave(job)
            failure = EngineFailed("The engine failed while it transcribed; try the request again.")
            failure.__cause__ = problem
            job.fail(failure)
