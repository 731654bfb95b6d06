"""`MemoryJobStore`: jobs of one process, gone with it."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from whisper_inference.jobs.job import Job, UnixTime
from whisper_inference.jobs.refusals import store_full, too_many_jobs
from whisper_inference.jobs.store import Due, Place, Queue, Room


class MemoryJobStore:
    """Keeps jobs in dictionaries.

    Args:
        clock: Seconds since 1970.
    """

    durable = False

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._jobs: dict[str, tuple[Job, UnixTime]] = {}
        self._beside: dict[Place, tuple[dict[int, bytes], UnixTime]] = {}

    async def now(self) -> UnixTime:
        """Return the time."""
        return self._clock()

    async def create(self, job: Job, room: Room, lasting: timedelta) -> None:
        """Keep a new job."""
        if await self.used_bytes() + job.stored_bytes > room.total_bytes:
            raise store_full(room)
        if sum(each.owner == job.owner and not each.status.over for each in self._live()) >= room.open_jobs:
            raise too_many_jobs(room)
        self._jobs[job.id] = job, self._end(lasting)

    async def read(self, identity: str) -> Job | None:
        """Find a job."""
        self._sweep()
        found = self._jobs.get(identity)
        return None if found is None else found[0]

    async def replace(self, job: Job, lasting: timedelta) -> bool:
        """Keep a job's next version."""
        before = await self.read(job.id)
        if before is None or before.version != job.version - 1:
            return False
        self._jobs[job.id] = job, self._end(lasting)
        return True

    async def delete(self, job: Job) -> None:
        """Forget a job."""
        self._jobs.pop(job.id, None)

    async def due(self, queue: Queue, most: int) -> list[Due]:
        """Return the jobs whose time has come."""
        now = self._clock()
        waiting = (job for job in self._live() if job.status.over == (queue == "webhooks"))
        found = [Due(job.id, job.wake) for job in waiting if job.wake is not None and job.wake <= now]
        return sorted(found, key=lambda due: due.since)[:most]

    async def page(self, owner: str | None, before: str | None, most: int) -> list[Job]:
        """Return jobs, the newest first."""
        wanted = (job for job in self._live() if owner in {None, job.owner} and (before is None or job.id < before))
        return sorted(wanted, key=lambda job: job.id, reverse=True)[:most]

    async def used_bytes(self) -> int:
        """Return what all jobs take."""
        return sum(job.stored_bytes for job in self._live())

    async def put(self, place: Place, index: int, data: bytes, lasting: timedelta) -> None:
        """Keep bytes beside a job."""
        pieces, _ = self._beside.get(place, ({}, 0.0))
        self._beside[place] = pieces | {index: data}, self._end(lasting)

    async def get(self, place: Place, index: int) -> bytes | None:
        """Find bytes beside a job."""
        self._sweep()
        return self._beside[place][0].get(index) if place in self._beside else None

    async def keep(self, place: Place, lasting: timedelta) -> None:
        """Let everything in a place last for longer."""
        if place in self._beside:
            self._beside[place] = self._beside[place][0], self._end(lasting)

    async def drop(self, place: Place) -> None:
        """Forget everything in a place."""
        self._beside.pop(place, None)

    def _live(self) -> Iterator[Job]:
        self._sweep()
        return (job for job, _ in self._jobs.values())

    def _sweep(self) -> None:
        now = self._clock()
        self._jobs = {identity: kept for identity, kept in self._jobs.items() if kept[1] > now}
        self._beside = {place: kept for place, kept in self._beside.items() if kept[1] > now}

    def _end(self, lasting: timedelta) -> UnixTime:
        return self._clock() + lasting.total_seconds()
