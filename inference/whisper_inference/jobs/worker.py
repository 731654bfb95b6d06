"""What takes jobs: each replica looks for those that wait, or whose worker has died, and works a few off at a time."""

import asyncio
import logging
import secrets
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from whisper_inference.errors import EngineFailed, NotReady, QuotaExceeded, ShuttingDown, StoreUnavailable, WhisperError
from whisper_inference.formats import render
from whisper_inference.jobs.job import Failure, JobStatus, ResultShape
from whisper_inference.jobs.queue import Change, JobQueue
from whisper_inference.jobs.work import Attempt, insist
from whisper_inference.transcription import Seconds, Transcript

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0
_LIFE_SECONDS: Final = 2.0
"""Between two signs of life: so soon a cancelled job ends, too."""
_MOST_LOOKED_AT: Final = 32
_FAREWELL_SECONDS: Final = 5.0
"""How long handing jobs back may take when the server stops."""


class Work(Protocol):
    """How a job is done."""

    async def transcribe(self, attempt: Attempt) -> Transcript:
        """Transcribe a job's recording; says in `attempt.progress` how far it is.

        Raises:
            WhisperError: It cannot be done, or not now.
        """
        ...


class JobObserver(Protocol):
    """Told of jobs, on the event loop."""

    def job_over(self, status: str) -> None:
        """A job of this worker's is over, in this way."""
        ...

    def jobs_waiting(self, oldest_age_seconds: Seconds) -> None:
        """So long the first job has waited that nobody works at."""
        ...

    def jobs_running(self, count: int) -> None:
        """So many jobs this process works at."""
        ...


class JobWorker:
    """Works jobs off until the server drains.

    Args:
        queue: Where they are.
        work: How one is done.
        language_name: From a code to a name, for `verbose_json`.
        observer: Who measures.
        at_once: How many jobs at a time.
        draining: Says whether the server is about to stop: then jobs are handed back.
    """

    def __init__(
        self,
        queue: JobQueue,
        work: Work,
        language_name: Callable[[str], str],
        observer: JobObserver,
        *,
        at_once: int,
        draining: Callable[[], bool],
    ) -> None:
        self._queue, self._work, self._language_name, self._observer = queue, work, language_name, observer
        self._at_once, self._draining = at_once, draining
        self._attempts: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Look for jobs until the server drains, or the task is cancelled."""
        try:
            while not self._draining():
                pause = _LOOK_SECONDS
                try:
                    await self._look()
                except StoreUnavailable as away:
                    pause = away.retry_after_seconds
                except Exception:
                    logger.exception("Looking for jobs failed")
                await self._wait(pause)
        finally:
            await self._leave()

    async def _look(self) -> None:
        found = await self._queue.due(_MOST_LOOKED_AT)
        self._observer.jobs_waiting(await self._queue.store.now() - found[0].since if found else 0.0)
        for due in found:
            if len(self._attempts) >= self._at_once:
                return
            holder = secrets.token_hex(8)
            job = await self._queue.change(due.id, _taking(holder, self._queue.policy.lease))
            if job is not None and job.status is JobStatus.RUNNING:
                self._begin(Attempt(job, holder, job.progress))
            elif job is not None:
                self._observer.job_over(job.status)

    def _begin(self, attempt: Attempt) -> None:
        task = asyncio.create_task(self._attempt(attempt))
        self._attempts.add(task)
        self._observer.jobs_running(len(self._attempts))
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._attempts.discard(task)
        self._observer.jobs_running(len(self._attempts))
        self._queue.arrived.set()  # there is room for the next one

    async def _wait(self, seconds: Seconds) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._queue.arrived.wait()
        except TimeoutError:
            return
        self._queue.arrived.clear()

    async def _leave(self) -> None:
        attempts = set(self._attempts)
        for attempt in attempts:
            attempt.cancel()
        if attempts:
            await asyncio.wait(attempts, timeout=_FAREWELL_SECONDS)

    async def _attempt(self, attempt: Attempt) -> None:
        identity, holder = attempt.job.id, attempt.holder
        working = asyncio.create_task(self._finish(attempt))
        living = asyncio.create_task(self._live(attempt))
        try:
            await asyncio.wait({working, living}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await _stop(working, living)
            await self._queue.change(identity, lambda job, now: job.handed_back(holder, now))
            raise
        finally:
            await _stop(working, living)

    async def _live(self, attempt: Attempt) -> None:
        """Renew the lease until the job is somebody else's, or nobody wants it any more."""
        lease = self._queue.policy.lease
        while True:
            await asyncio.sleep(min(_LIFE_SECONDS, lease / 3))
            try:
                renewed = await self._queue.change(
                    attempt.job.id, lambda job, now: job.renewed(attempt.holder, now, lease, attempt.progress)
                )
            except StoreUnavailable:
                continue  # nobody else can take it now, either
            if renewed is None:
                return

    async def _finish(self, attempt: Attempt) -> None:
        change = await self._outcome(attempt)
        changed = await insist(partial(self._queue.change, attempt.job.id, change))
        if changed is not None and changed.status.over:
            self._observer.job_over(changed.status)
            logger.info("Job %s has %s", changed.id, changed.status)

    async def _outcome(self, attempt: Attempt) -> Change:
        """Do the work; return what it means for the job."""
        holder, order = attempt.holder, attempt.job.order
        try:
            transcript = await self._work.transcribe(attempt)
            result = render(transcript, order.rendering, self._language_name(transcript.language))
            await insist(partial(self._queue.keep_result, attempt.job, result))
        except (ShuttingDown, NotReady):
            return lambda job, now: job.handed_back(holder, now)
        except QuotaExceeded as used_up:
            return self._postponing(holder, used_up)
        except EngineFailed:
            return lambda job, now: job.retried(holder, now)
        except WhisperError as problem:
            return _failing(holder, problem)
        except Exception:
            logger.exception("A job could not be worked at: %s", attempt.job.id)
            return lambda job, now: job.retried(holder, now)
        shape = ResultShape(media_type=result.media_type, size=len(result.body))
        return lambda job, now: job.succeeded(holder, now, shape, transcript.duration)

    def _postponing(self, holder: str, used_up: QuotaExceeded) -> Change:
        """A job that would not be kept until tomorrow fails today."""
        seconds = used_up.retry_after_seconds
        if seconds >= self._queue.policy.retention.total_seconds():
            return _failing(holder, used_up)
        return lambda job, now: job.postponed(holder, now, seconds)


def _failing(holder: str, problem: WhisperError) -> Change:
    failure = Failure(code=problem.code, message=str(problem))
    return lambda job, now: job.failed(holder, now, failure)


def _taking(holder: str, lease: Seconds) -> Change:
    return lambda job, now: job.taken(holder, now, lease)


async def _stop(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
