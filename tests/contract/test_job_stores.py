"""One contract for every store of jobs: memory, a Redis, a cluster of them, and one behind Sentinel."""

import asyncio
import io
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from tests.support.audio_samples import BY_NAME, encode, tone
from tests.support.jobs import LONG, ROOM, allowed, new_job
from tests.support.redis_server import redis_server
from whisper_inference.audio.decoding import AudioLimits
from whisper_inference.errors import JobStoreFull, TooManyJobs
from whisper_inference.jobs.batch import Batch, BatchStatus, Recording, batch_of, end_of, gather
from whisper_inference.jobs.job import Job, JobWebhook, ResultShape
from whisper_inference.jobs.memory import MemoryJobStore
from whisper_inference.jobs.queue import JobPolicy, JobQueue, Sender
from whisper_inference.jobs.redis import RedisJobStore
from whisper_inference.jobs.store import JobStore, Place, Room
from whisper_inference.quotas.quota import Consumer
from whisper_inference.sessions.availability import Availability
from whisper_inference.sessions.redis_address import connect
from whisper_inference.sessions.redis_link import RedisLink

ResultT = TypeVar("ResultT")

SHORT = timedelta(milliseconds=80)
PAUSE_SECONDS = 0.15


def use(address: str | None, work: Callable[[JobStore], Awaitable[ResultT]]) -> ResultT:
    """Open a store, use it, and close it."""

    async def whole() -> ResultT:
        if address is None:
            return await work(MemoryJobStore(time.time))
        link = RedisLink(connect(address), Availability(time.monotonic, lambda _: None))
        try:
            return await work(RedisJobStore(link))
        finally:
            await link.close()

    return asyncio.run(whole())


def someone() -> str:
    """An owner that no other test has."""
    return secrets.token_hex(4)


async def forget(store: JobStore, *jobs: Job) -> None:
    for job in jobs:
        await store.delete(job)


def test_a_job_is_found_until_it_is_deleted(address: str | None) -> None:
    async def work(store: JobStore) -> None:
        job = new_job(someone())
        assert await store.read(job.id) is None
        await store.create(job, ROOM, LONG)
        assert await store.read(job.id) == job
        await store.delete(job)
        await store.delete(job)
        assert await store.read(job.id) is None

    use(address, work)


def test_of_two_who_read_one_version_one_writes_the_next(address: str | None) -> None:
    async def work(store: JobStore) -> None:
        job = new_job(someone())
        await store.create(job, ROOM, LONG)
        mine, theirs = allowed(job.queued(1.0)), allowed(job.cancelled(2.0))
        assert sorted(await asyncio.gather(store.replace(mine, LONG), store.replace(theirs, LONG))) == [False, True]
        assert await store.read(job.id) in {mine, theirs}
        assert not await store.replace(mine, LONG)
        await store.delete(job)
        assert not await store.replace(allowed(mine.cancelled(3.0)), LONG)

    use(address, work)


def test_jobs_are_due_when_their_time_has_come_the_longest_first(address: str | None) -> None:
    async def work(store: JobStore) -> None:
        now = await store.now()
        assert abs(now - time.time()) < 5
        jobs = [new_job(someone()) for _ in range(3)]
        for job, wake in zip(jobs, (now - 1, now + 60, now - 2), strict=True):
            await store.create(job, ROOM, LONG)
            assert await store.replace(allowed(job.queued(wake)), LONG)
        found = await store.due("work", 10)
        assert [due.id for due in found] == [jobs[2].id, jobs[0].id]
        assert found[0].since == pytest.approx(now - 2, abs=0.001)
        assert [due.id for due in await store.due("work", 1)] == [jobs[2].id]
        taken = allowed((await store.read(jobs[2].id) or jobs[2]).taken("me", now, 30))
        assert await store.replace(taken, LONG)
        await store.delete(jobs[0])
        assert await store.due("work", 10) == []
        await forget(store, *jobs)

    use(address, work)


def test_a_webhook_is_due_apart_from_work(address: str | None) -> None:
    async def work(store: JobStore) -> None:
        now = await store.now()
        job = new_job(someone()).model_copy(update={"webhook": JobWebhook(url="https://a.example/")})
        await store.create(job, ROOM, LONG)
        over = allowed(job.cancelled(now - 1))
        assert await store.replace(over, LONG)
        assert await store.due("work", 10) == []
        assert [due.id for due in await store.due("webhooks", 10)] == [job.id]
        called = allowed(allowed(over.calling(now, 30)).called(1, None, None)).model_copy(update={"version": 3})
        assert await store.replace(called, LONG)
        assert await store.due("webhooks", 10) == []
        await forget(store, job)

    use(address, work)


def test_pages_go_from_the_newest_to_the_oldest_of_one_owner_or_of_all(address: str | None) -> None:
    async def work(store: JobStore) -> None:
        anna, berta = someone(), someone()
        own = [new_job(anna, created=number) for number in range(5)]
        foreign = new_job(berta, created=2.5)
        for job in (*own, foreign):
            await store.create(job, ROOM, LONG)
        first = await store.page(anna, None, 2)
        assert [job.created for job in first] == [4, 3]
        await store.delete(own[1])
        assert [job.created for job in await store.page(anna, first[-1].id, 10)] == [2, 0]
        assert [job.created for job in await store.page(None, None, 10)] == [4, 3, 2.5, 2, 0]
        assert await store.page(someone(), None, 10) == []
        await forget(store, *own, foreign)

    use(address, work)


def test_jobs_of_a_batch_lie_together_in_every_list(address: str | None) -> None:
    """Which is all that a store has to know of batches."""

    async def work(store: JobStore) -> None:
        anna = someone()
        batches = [gather([new_job(anna, created=at) for _ in range(3)], ["x"] * 3, at) for at in (5.0, 6.0, 7.0)]
        foreign = gather([new_job(someone())], [None], 6.0)
        jobs = [*(job for batch in batches for job in batch.jobs), *foreign.jobs]
        for job in (*reversed(jobs), new_job(anna, created=6.0)):
            await store.create(job, ROOM, LONG)
        for owner in (anna, None):
            found = await store.page(owner, end_of(batches[1].id), 3)
            assert batch_of(batches[1].id, found) == batches[1]
        assert batch_of(batches[1].id, await store.page(foreign.owner, end_of(batches[1].id), 3)) is None
        await forget(store, *await store.page(None, None, 100))

    use(address, work)


def test_a_full_store_takes_no_more_until_a_job_is_over_or_forgotten(address: str | None) -> None:
    async def work(store: JobStore) -> None:
        before = await store.used_bytes()
        room = Room(before + 2 * new_job(audio_bytes=5000).stored_bytes, 100)
        jobs = [new_job(someone(), audio_bytes=5000) for _ in range(3)]
        await store.create(jobs[0], room, LONG)
        await store.create(jobs[1], room, LONG)
        assert await store.used_bytes() == room.total_bytes
        with pytest.raises(JobStoreFull) as refusal:
            await store.create(jobs[2], room, LONG)
        assert refusal.value.retry_after_seconds > 0
        running = allowed(allowed(jobs[0].queued(1.0)).taken("me", 2.0, 30)).model_copy(update={"version": 2})
        done = allowed(running.succeeded("me", 3.0, ResultShape(media_type="text/plain", size=7), 1.0))
        assert await store.replace(running, LONG)
        assert await store.replace(done, LONG)
        assert await store.used_bytes() == room.total_bytes - 5000 + 7
        await store.delete(jobs[1])
        await store.create(jobs[2], room, LONG)
        await forget(store, *jobs)
        assert await store.used_bytes() == before

    use(address, work)


def test_an_owner_has_so_many_unfinished_jobs_and_no_more(address: str | None) -> None:
    async def work(store: JobStore) -> None:
        room, owner = Room(2**20, 2), someone()
        jobs = [new_job(owner) for _ in range(3)]
        await store.create(jobs[0], room, LONG)
        await store.create(jobs[1], room, LONG)
        with pytest.raises(TooManyJobs):
            await store.create(jobs[2], room, LONG)
        foreign = new_job(someone())
        await store.create(foreign, room, LONG)
        assert await store.replace(allowed(jobs[0].cancelled(1.0)), LONG)
        await store.create(jobs[2], room, LONG)
        await forget(store, *jobs, foreign)

    use(address, work)


def test_what_ends_by_itself_is_counted_and_listed_no_more(address: str | None) -> None:
    async def work(store: JobStore) -> None:
        before, owner = await store.used_bytes(), someone()
        room = Room(before + new_job().stored_bytes, 1)
        await store.create(new_job(owner), room, SHORT)
        await asyncio.sleep(PAUSE_SECONDS)
        assert await store.page(owner, None, 10) == []
        job = new_job(owner)
        await store.create(job, room, LONG)
        assert await store.page(owner, None, 10) == [job]
        assert await store.used_bytes() == room.total_bytes
        await forget(store, job)

    use(address, work)


def test_bytes_lie_beside_a_job_for_as_long_as_was_said(address: str | None) -> None:
    async def work(store: JobStore) -> None:
        place, other = Place(new_job().id, "audio"), Place(new_job().id, "audio")
        assert await store.get(place, 0) is None
        for index in range(3):
            await store.put(place, index, bytes([index]) * 1000, SHORT)
        await store.put(other, 0, b"other", SHORT)
        await store.keep(place, LONG)
        await asyncio.sleep(PAUSE_SECONDS)
        assert await store.get(other, 0) is None
        assert await store.get(place, 2) == b"\x02" * 1000
        assert await store.get(Place(place.job, "result"), 2) is None
        await store.keep(Place(place.job, "parts"), LONG)
        await store.drop(place)
        assert await store.get(place, 2) is None

    use(address, work)


def test_a_batch_outlives_the_process_that_took_it_in(tmp_path: Path) -> None:
    policy = JobPolicy(ROOM, LONG, 30.0, AudioLimits())
    sound = encode(tone(0.2, 16_000), BY_NAME["wav_16k"])
    sender = Sender("anna", Consumer("key:anna"))

    async def send(store: JobStore) -> Batch:
        recordings = [Recording(io.BytesIO(sound), name) for name in ("a.wav", "b.wav")]
        return await JobQueue(store, policy).submit_batch(sender, new_job().order, recordings)

    async def find(store: JobStore) -> Batch:
        return await JobQueue(store, policy).find_batch(batch.id, "anna")

    async def cancel(store: JobStore) -> None:
        for job in batch.jobs:
            await JobQueue(store, policy).cancel(job)

    with redis_server(tmp_path) as server:
        batch = use(server.address, send)
        assert use(server.address, find) == batch
        assert all(server.client.ttl(name) > 0 for name in server.client.keys("*"))
        use(server.address, cancel)
        assert use(server.address, find).status is BatchStatus.DONE
        assert server.client.keys("whisper:1:{job_*") == []


def test_what_one_process_keeps_another_finds_and_every_key_has_an_end(tmp_path: Path) -> None:
    job = new_job()

    async def keep(store: JobStore) -> None:
        await store.create(job, ROOM, LONG)
        await store.replace(allowed(job.queued(1.0)), LONG)
        await store.put(Place(job.id, "audio"), 0, b"sound", LONG)

    async def find(store: JobStore) -> Job | None:
        return await store.read(job.id)

    with redis_server(tmp_path) as server:
        use(server.address, keep)
        assert use(server.address, find) == job.queued(1.0)
        names = server.client.keys("*")
        assert len(names) == 9
        assert all(name.startswith(b"whisper:1:{") for name in names)
        assert all(0 < server.client.ttl(name) <= LONG.total_seconds() for name in names)
