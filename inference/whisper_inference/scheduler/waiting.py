"""The queue of windows without rows: streams before files, each by deadline."""

import heapq
from collections.abc import Iterator
from typing import Final, TypeAlias

from whisper_inference.scheduler.jobs import Job, Lane
from whisper_inference.transcription import Seconds

STREAMS_BEFORE_A_FILE: Final = 4
"""Windows of streams that pass a file's; then it has its turn, so files get a fifth at the least and do not starve."""

_Entry: TypeAlias = tuple[Seconds, int, Job]


class WaitingJobs:
    """Jobs without rows.

    Whose turn it is is never overtaken, not even by a narrower job that would fit: rows come free in bounded time, so
    a wide job waits for a few and is not starved by many narrow ones.
    """

    def __init__(self) -> None:
        self._lanes: dict[Lane, list[_Entry]] = {lane: [] for lane in Lane}
        self._passed = 0
        """Windows of streams that went while files waited, since one of these went."""

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def push(self, job: Job) -> None:
        """Let a job wait."""
        heapq.heappush(self._lanes[job.work.lane], (job.work.deadline, job.order, job))

    def pop_fitting(self, free_rows: int) -> Job | None:
        """Take the job whose turn it is if it fits into the free rows."""
        lane = self._next_lane()
        if not self._lanes[lane] or self._lanes[lane][0][2].work.rows > free_rows:
            return None
        passes = lane is Lane.STREAMS and self._lanes[Lane.FILES]
        self._passed = self._passed + 1 if passes else 0
        return heapq.heappop(self._lanes[lane])[2]

    def remove_cancelled(self) -> list[Job]:
        """Take out the jobs that nobody waits for."""
        # Asked once for each job: an answer that changes between two questions would lose it.
        cancelled = {job.order: job for job in self._jobs() if job.cancelled}
        if cancelled:
            for lane, heap in self._lanes.items():
                self._lanes[lane] = [entry for entry in heap if entry[1] not in cancelled]
                heapq.heapify(self._lanes[lane])
        return list(cancelled.values())

    def remove_all(self) -> list[Job]:
        """Take out everything."""
        jobs = list(self._jobs())
        self._lanes = {lane: [] for lane in Lane}
        return jobs

    def longest_wait(self, now: Seconds) -> Seconds:
        """How long the job that came first has waited."""
        return max((now - job.arrived for job in self._jobs()), default=0.0)

    def _next_lane(self) -> Lane:
        waits = self._lanes[Lane.FILES] and self._passed >= STREAMS_BEFORE_A_FILE
        return Lane.FILES if waits or not self._lanes[Lane.STREAMS] else Lane.STREAMS

    def _jobs(self) -> Iterator[Job]:
        return (job for heap in self._lanes.values() for _, _, job in heap)
