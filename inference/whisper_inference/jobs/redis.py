"""`RedisJobStore`: jobs that every replica sees.

Records and their indexes have the hash tag `{jobs}`: they are small, and change together. Bytes beside a job have the
job's own, so a cluster spreads them over its servers.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from pydantic import ValidationError

from whisper_inference.jobs.job import Job, UnixTime
from whisper_inference.jobs.redis_scripts import DELETE, DUE, PUT, SAVE, TELL_NOW
from whisper_inference.jobs.refusals import store_full, too_many_jobs
from whisper_inference.jobs.store import Due, Place, Queue, Room
from whisper_inference.sessions.redis_link import LAYOUT, RedisLink, in_milliseconds

_JOBS: Final = f"{LAYOUT}:{{jobs}}"
_DUE: Final = f"{_JOBS}:due"
_WEBHOOKS: Final = f"{_JOBS}:webhooks"
_LISTED: Final = f"{_JOBS}:listed"
_TOTAL: Final = f"{_JOBS}:total"


class RedisJobStore:
    """Keeps jobs in Redis or Valkey."""

    durable = True

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def now(self) -> UnixTime:
        """Return the time of the server that keeps the records."""
        async with self._link.talking():
            return int(await self._link.client.eval(TELL_NOW, 1, _DUE)) / 1000

    async def create(self, job: Job, room: Room, lasting: timedelta) -> None:
        """Keep a new job."""
        answer = await self._save(job, 0, lasting, room)
        if answer == b"full":
            raise store_full(room)
        if answer == b"many":
            raise too_many_jobs(room)

    async def read(self, identity: str) -> Job | None:
        """Find a job."""
        async with self._link.talking():
            return _parsed(await self._link.client.get(_record(identity)))

    async def replace(self, job: Job, lasting: timedelta) -> bool:
        """Keep a job's next version."""
        return await self._save(job, job.version - 1, lasting, Room(0, 0)) == b"saved"

    async def delete(self, job: Job) -> None:
        """Forget a job."""
        async with self._link.talking():
            await self._link.client.eval(DELETE, 9, *_keys(job), job.id)

    async def due(self, queue: Queue, most: int) -> list[Due]:
        """Return the jobs whose time has come."""
        async with self._link.talking():
            found = await self._link.client.eval(DUE, 1, _WEBHOOKS if queue == "webhooks" else _DUE, str(most))
        return [
            Due(identity.decode(), float(wake) / 1000) for identity, wake in zip(found[::2], found[1::2], strict=True)
        ]

    async def page(self, owner: str | None, before: str | None, most: int) -> list[Job]:
        """Return jobs, the newest first."""
        index = _LISTED if owner is None else _listed(owner)
        jobs: list[Job] = []
        cursor = f"({before}" if before else "+"
        while len(jobs) < most:
            found, records = await self._records(index, cursor, most)
            jobs += [job for record in records if (job := _parsed(record)) is not None]
            if len(found) < most:
                break
            cursor = f"({found[-1]}"
        return jobs[:most]

    async def _records(self, index: str, cursor: str, most: int) -> tuple[list[str], Sequence[object]]:
        """Return the next names of an index and their records; forget the names whose records have ended."""
        async with self._link.talking():
            names: Sequence[Any] = await self._link.client.zrevrangebylex(index, cursor, "-", 0, most)
            found = [name.decode() for name in names]
            records = await self._link.client.mget([_record(each) for each in found]) if found else []
            gone = [each for each, record in zip(found, records, strict=True) if record is None]
            if gone:
                await self._link.client.zrem(index, *gone)
        return found, records

    async def used_bytes(self) -> int:
        """Return what all jobs take."""
        async with self._link.talking():
            return int(await self._link.client.get(_TOTAL) or 0)

    async def put(self, place: Place, index: int, data: bytes, lasting: timedelta) -> None:
        """Keep bytes beside a job."""
        async with self._link.talking():
            await self._link.client.eval(PUT, 1, _beside(place), str(index), data, in_milliseconds(lasting))

    async def get(self, place: Place, index: int) -> bytes | None:
        """Find bytes beside a job."""
        async with self._link.talking():
            data = await self._link.client.hget(_beside(place), str(index))
        return data if isinstance(data, bytes) else None

    async def keep(self, place: Place, lasting: timedelta) -> None:
        """Let everything in a place last for longer."""
        async with self._link.talking():
            await self._link.client.pexpire(_beside(place), in_milliseconds(lasting))

    async def drop(self, place: Place) -> None:
        """Forget everything in a place."""
        async with self._link.talking():
            await self._link.client.unlink(_beside(place))

    async def _save(self, job: Job, before: int, lasting: timedelta, room: Room) -> bytes:
        document = f"{job.version} {job.model_dump_json()}"
        wake = "" if job.wake is None else str(round(job.wake * 1000))
        is_open = "0" if job.status.over else "1"
        facts = (str(before), document, job.id, wake, in_milliseconds(lasting), str(job.stored_bytes), is_open)
        async with self._link.talking():
            answer = await self._link.client.eval(
                SAVE, 9, *_keys(job), *facts, str(room.total_bytes), str(room.open_jobs)
            )
        return bytes(answer)


def _keys(job: Job) -> tuple[str, ...]:
    owned = (_listed(job.owner), _LISTED, f"{_JOBS}:open:{job.owner}")
    return _record(job.id), _DUE, *owned, f"{_JOBS}:sizes", f"{_JOBS}:ends", _TOTAL, _WEBHOOKS


def _record(identity: str) -> str:
    return f"{_JOBS}:job:{identity}"


def _listed(owner: str) -> str:
    return f"{_JOBS}:listed:{owner}"


def _beside(place: Place) -> str:
    return f"{LAYOUT}:{{{place.job}}}:{place.kind}"


def _parsed(record: object) -> Job | None:
    if not isinstance(record, bytes):
        return None
    try:
        return Job.model_validate_json(record.partition(b" ")[2])
    except ValidationError:
        return None  # of a version that wrote it otherwise
