"""The worker: what becomes of a job when its work succeeds, fails, breaks, or is taken away."""

import asyncio
import io
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from typing_extensions import override

from tests.support.audio_samples import BY_NAME, encode, tone
from whisper_inference.audio.decoding import AudioLimits
from whisper_inference.errors import (
    EngineFailed,
    JobNotFound,
    QuotaExceeded,
    ShuttingDown,
    StoreUnavailable,
    UnreadableAudio,
)
from whisper_inference.formats import Rendering
from whisper_inference.jobs.job import MOST_ATTEMPTS, Job, JobOrder, JobStatus
from whisper_inference.jobs.memory import MemoryJobStore
from whisper_inference.jobs.queue import JobPolicy, JobQueue, Sender
from whisper_inference.jobs.store import Due, Place, Queue, Room
from whisper_inference.jobs.work import Attempt
from whisper_inference.jobs.worker import JobWorker
from whisper_inference.quotas.quota import Consumer
from whisper_inference.transcription import Transcript, TranscriptionOptions

SOUND = encode(tone(0.5, 16_000), BY_NAME["wav_16k"])
ORDER = JobOrder(options=TranscriptionOptions(), rendering=Rendering("text"))
DONE = Transcript("transcribe", "en", 0.5, ())
PATIENCE = 1000
POLICY = JobPolicy(Room(2**20, 10), timedelta(minutes=1), 30.0, AudioLimits())


@dataclass
class Scripted:
    """Work that does what it is told, once for each attempt; the last thing again and again."""

    script: list[Callable[[], Awaitable[Transcript]]]
    attempts: list[Attempt] = field(default_factory=list)

    async def transcribe(self, attempt: Attempt) -> Transcript:
        """Do the next thing."""
        self.attempts.append(attempt)
        return await (self.script.pop(0) if len(self.script) > 1 else self.script[0])()


@dataclass
class Told:
    """What the worker tells."""

    over: list[str] = field(default_factory=list)
    running: list[int] = field(default_factory=list)

    def job_over(self, status: str) -> None:
        """Take it in."""
        self.over.append(status)

    def jobs_waiting(self, oldest_age_seconds: float) -> None:
        """Check it."""
        assert oldest_age_seconds >= 0

    def jobs_running(self, count: int) -> None:
        """Take it in."""
        self.running.append(count)


class Clock:
    """Time that a test moves on, besides what passes."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        """Return it."""
        return time.time() + self.ahead


async def succeed() -> Transcript:
    return DONE


async def hang() -> Transcript:
    await asyncio.Event().wait()
    return DONE


def refuse(problem: Exception) -> Callable[[], Awaitable[Transcript]]:
    async def raising() -> Transcript:
        raise problem

    return raising


class Workshop:
    """A queue in memory and one worker."""

    def __init__(
        self, *script: Callable[[], Awaitable[Transcript]], store: MemoryJobStore | None = None, lease: float = 30
    ) -> None:
        self.clock, self.told, self.draining = Clock(), Told(), False
        self.queue = JobQueue(store or MemoryJobStore(self.clock), POLICY._replace(lease=lease))
        self.work = Scripted(list(script))
        self.worker = JobWorker(self.queue, self.work, str, self.told, at_once=1, draining=lambda: self.draining)

    async def submit(self) -> Job:
        """Send a job."""
        return await self.queue.submit(Sender("anna", Consumer("key:a")), ORDER, io.BytesIO(SOUND))

    async def until(self, job: Job, true: Callable[[Job], bool]) -> Job:
        """Wait until a job is so."""
        for _ in range(PATIENCE):
            if true(found := await self.queue.find(job.id, None)):
                return found
            self.queue.arrived.set()
            await asyncio.sleep(0.01)
        raise TimeoutError


async def happens(true: Callable[[], bool]) -> None:
    """Wait for it."""
    for _ in range(PATIENCE):
        if true():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


def run(shop: Workshop, test: Callable[[Workshop], Awaitable[None]]) -> None:
    """Run the worker while a test does."""

    async def whole() -> None:
        working = asyncio.create_task(shop.worker.run())
        try:
            await test(shop)
        finally:
            working.cancel()
            await asyncio.wait({working})

    asyncio.run(whole())


def test_a_job_that_is_done_has_its_result_and_no_audio() -> None:
    async def test(shop: Workshop) -> None:
        job = await shop.submit()
        assert await shop.queue.store.get(Place(job.id, "audio"), 0) is not None
        done = await shop.until(job, lambda each: each.status.over)
        assert done.status is JobStatus.SUCCEEDED
        assert (await shop.queue.result(done)).body == b"\n"
        assert await shop.queue.store.get(Place(job.id, "audio"), 0) is None
        assert shop.told.over == ["succeeded"]
        await shop.queue.forget(done)
        with pytest.raises(JobNotFound):
            await shop.queue.result(done)

    run(Workshop(succeed), test)


def test_a_recording_that_is_refused_fails_the_job_with_the_reason() -> None:
    async def test(shop: Workshop) -> None:
        job = await shop.submit()
        failed = await shop.until(job, lambda each: each.status.over)
        assert failed.failure is not None
        assert (failed.failure.code, failed.failure.message) == ("unreadable_audio", "It is damaged.")

    run(Workshop(refuse(UnreadableAudio("It is damaged."))), test)


@pytest.mark.parametrize("problem", [EngineFailed("The engine failed."), RuntimeError("a defect of ours")])
def test_what_may_not_happen_again_is_tried_again_and_not_for_ever(problem: Exception) -> None:
    async def recovers(shop: Workshop) -> None:
        job = await shop.submit()
        await shop.until(job, lambda each: each.status is JobStatus.QUEUED and each.attempts == 1)
        shop.clock.ahead += 10
        assert (await shop.until(job, lambda each: each.status.over)).status is JobStatus.SUCCEEDED

    async def never(shop: Workshop) -> None:
        job = await shop.submit()
        for attempt in range(MOST_ATTEMPTS):
            await shop.until(job, lambda each, count=attempt + 1: each.attempts == count and each.wake is not None)  # type: ignore[misc]
            await shop.until(job, lambda each: each.status is JobStatus.QUEUED)
            shop.clock.ahead += 10
        failed = await shop.until(job, lambda each: each.status.over)
        assert failed.failure is not None
        assert failed.failure.code == "job_abandoned"
        assert len(shop.work.attempts) == MOST_ATTEMPTS

    run(Workshop(refuse(problem), succeed), recovers)
    run(Workshop(refuse(problem)), never)


def test_a_job_whose_owner_has_used_up_the_day_waits_for_the_next_one_if_it_is_kept_so_long() -> None:
    async def waits(shop: Workshop) -> None:
        job = await shop.submit()
        waiting = await shop.until(job, lambda each: each.version > 2 and each.status is JobStatus.QUEUED)
        assert waiting.attempts == 0
        assert waiting.wake is not None
        assert waiting.wake > shop.clock() + 30
        shop.clock.ahead += 50
        assert (await shop.until(job, lambda each: each.status.over)).status is JobStatus.SUCCEEDED

    async def fails(shop: Workshop) -> None:
        job = await shop.submit()
        failed = await shop.until(job, lambda each: each.status.over)
        assert failed.failure is not None
        assert failed.failure.code == "quota_exceeded"

    run(Workshop(refuse(QuotaExceeded("Tomorrow.", retry_after_seconds=45)), succeed), waits)
    run(Workshop(refuse(QuotaExceeded("Tomorrow.", retry_after_seconds=60))), fails)


def test_a_job_that_was_handed_back_is_taken_again_and_costs_no_attempt() -> None:
    async def test(shop: Workshop) -> None:
        job = await shop.submit()
        done = await shop.until(job, lambda each: each.status.over)
        assert (done.status, done.attempts) == (JobStatus.SUCCEEDED, 1)

    run(Workshop(refuse(ShuttingDown("The server drains.")), succeed), test)


def test_a_server_that_drains_hands_its_jobs_back() -> None:
    async def test(shop: Workshop) -> None:
        job = await shop.submit()
        await shop.until(job, lambda each: each.status is JobStatus.RUNNING)
        shop.draining = True
        back = await shop.until(job, lambda each: each.status is JobStatus.QUEUED)
        assert back.attempts == 0
        assert shop.told.running[-1] == 0

    run(Workshop(hang), test)


def test_a_job_that_is_cancelled_is_let_go_of() -> None:
    async def test(shop: Workshop) -> None:
        job = await shop.submit()
        running = await shop.until(job, lambda each: each.status is JobStatus.RUNNING)
        assert await shop.queue.cancel(running) is not None
        await happens(lambda: shop.told.running[-1] == 0)
        assert (await shop.queue.find(job.id, "anna")).status is JobStatus.CANCELLED

    run(Workshop(hang, lease=0.03), test)


class Flaky(MemoryJobStore):
    """A store that is away now and then."""

    away = 0

    @override
    async def read(self, identity: str) -> Job | None:
        """Fail as often as is said."""
        self._fail()
        return await super().read(identity)

    @override
    async def due(self, queue: Queue, most: int) -> list[Due]:
        """Fail as often as is said."""
        self._fail()
        return await super().due(queue, most)

    def _fail(self) -> None:
        if self.away > 0:
            self.away -= 1
            raise StoreUnavailable("It is away.", retry_after_seconds=0)


def test_a_store_that_is_away_for_a_while_costs_nothing() -> None:
    store = Flaky(time.time)
    release = asyncio.Event()

    async def wait() -> Transcript:
        await release.wait()
        return DONE

    async def test(shop: Workshop) -> None:
        job = await shop.submit()
        await shop.until(job, lambda each: each.status is JobStatus.RUNNING)
        store.away = 20
        await happens(lambda: store.away <= 10)
        release.set()
        await happens(lambda: shop.told.over == ["succeeded"])
        assert len(shop.work.attempts) == 1

    run(Workshop(wait, store=store, lease=0.03), test)
