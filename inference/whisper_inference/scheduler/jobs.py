"""One window's decoding on its way through the engine, and the queue of those that wait."""

import heapq
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic

from whisper_inference.arrays import FloatArray
from whisper_inference.decoding.requests import Decoding, Request, ResultT
from whisper_inference.engines.base import RowId, WindowId
from whisper_inference.transcription import Seconds


@dataclass(frozen=True, slots=True)
class WindowWork(Generic[ResultT]):
    """A window and the rules that decode it."""

    log_mel: FloatArray
    """`[mel_bins, 3000]` float32."""
    decoding: Decoding[ResultT]
    deadline: Seconds
    """On the scheduler's clock. It orders and never fails: late work still runs, earliest first.

    A window that starts `t` seconds into its audio should be due `t` seconds after the request came, as if the audio
    were played: so a short request goes before the later windows of a long file, which still have their turn,
    because requests that come later are due later.
    """
    rows: int = 1
    """The most rows that the decoding ever has at once."""


@dataclass(eq=False, slots=True)
class Job:
    """Work with its place in the queue, what the engine holds for it, and the future of its result."""

    work: WindowWork[Any]
    arrived: Seconds
    order: int
    """Breaks ties between deadlines: first come, first served."""
    future: Future[Any] = field(default_factory=Future)
    window: WindowId | None = None
    rows: list[RowId] = field(default_factory=list)
    request: Request | None = None
    """What the decoding waits for."""
    end: Callable[[], None] | None = None
    """Hands over the outcome of a decoding that is done."""

    @property
    def cancelled(self) -> bool:
        """Nobody waits for the result any more."""
        return self.future.cancelled()

    def succeed(self, result: object) -> None:
        """Hand the result over; nobody may be waiting."""
        with suppress(InvalidStateError):  # cancelled, or failed by close(), a moment ago
            self.future.set_result(result)

    def fail(self, problem: BaseException) -> None:
        """Hand the problem over; nobody may be waiting."""
        with suppress(InvalidStateError):
            self.future.set_exception(problem)


class WaitingJobs:
    """Jobs without rows, by deadline.

    The first is never overtaken, not even by a narrower job that would fit: rows come free in bounded time, so a wide
    job waits for a few and is not starved by many narrow ones.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[Seconds, int, Job]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, job: Job) -> None:
        """Let a job wait."""
        heapq.heappush(self._heap, (job.work.deadline, job.order, job))

    def pop_fitting(self, free_rows: int) -> Job | None:
        """Take the first job if it fits into the free rows."""
        if not self._heap or self._heap[0][2].work.rows > free_rows:
            return None
        return heapq.heappop(self._heap)[2]

    def remove_cancelled(self) -> list[Job]:
        """Take out the jobs that nobody waits for."""
        # Asked once for each job: an answer that changes between two questions would lose it.
        cancelled = {job.order: job for _, _, job in self._heap if job.cancelled}
        if cancelled:
            self._heap = [entry for entry in self._heap if entry[1] not in cancelled]
            heapq.heapify(self._heap)
        return list(cancelled.values())

    def remove_all(self) -> list[Job]:
        """Take out everything."""
        jobs = [job for _, _, job in self._heap]
        self._heap = []
        return jobs

    def longest_wait(self, now: Seconds) -> Seconds:
        """How long the job that came first has waited."""
        return max((now - job.arrived for _, _, job in self._heap), default=0.0)
