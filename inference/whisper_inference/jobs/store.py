"""The seam to what keeps jobs: Redis for many replicas, memory for one process. Everything in it has an end."""

from datetime import timedelta
from typing import Literal, NamedTuple, Protocol, TypeAlias

from whisper_inference.jobs.job import Job, UnixTime

Queue: TypeAlias = Literal["work", "webhooks"]
"""Jobs that are to be done, and those that are over and whose owners are to be told."""


class Room(NamedTuple):
    """What a store takes."""

    total_bytes: int
    """Of all jobs together."""
    open_jobs: int
    """Of one owner, that are not over."""


class Due(NamedTuple):
    """A job that somebody has to look at."""

    id: str
    since: UnixTime


class Place(NamedTuple):
    """Where bytes lie beside a job; they are numbered."""

    job: str
    kind: Literal["audio", "parts", "result"]


class JobStore(Protocol):
    """Keeps jobs, and bytes beside them. Every method may raise `StoreUnavailable`."""

    @property
    def durable(self) -> bool:
        """Say whether jobs outlive this process."""
        ...

    async def now(self) -> UnixTime:
        """Return the time, by the one clock of all who share the store."""
        ...

    async def create(self, job: Job, room: Room, lasting: timedelta) -> None:
        """Keep a new job, and count what it will take.

        Raises:
            JobStoreFull: There is no room for that much.
            TooManyJobs: Its owner has enough.
        """
        ...

    async def read(self, identity: str) -> Job | None:
        """Find a job."""
        ...

    async def replace(self, job: Job, lasting: timedelta) -> bool:
        """Keep a job's next version; false if that before it is not the one that is kept."""
        ...

    async def delete(self, job: Job) -> None:
        """Forget a job."""
        ...

    async def due(self, queue: Queue, most: int) -> list[Due]:
        """Return the jobs whose `wake` has come, the longest first."""
        ...

    async def page(self, owner: str | None, before: str | None, most: int) -> list[Job]:
        """Return jobs that nobody has yet deleted, the newest first.

        Args:
            owner: Whose; `None` for everybody's.
            before: Only older ones than that of this id.
            most: How many.
        """
        ...

    async def used_bytes(self) -> int:
        """Return what all jobs together take."""
        ...

    async def put(self, place: Place, index: int, data: bytes, lasting: timedelta) -> None:
        """Keep bytes beside a job; all that is in the place lasts as long."""
        ...

    async def get(self, place: Place, index: int) -> bytes | None:
        """Find bytes beside a job."""
        ...

    async def keep(self, place: Place, lasting: timedelta) -> None:
        """Let everything in a place last for longer."""
        ...

    async def drop(self, place: Place) -> None:
        """Forget everything in a place."""
        ...
