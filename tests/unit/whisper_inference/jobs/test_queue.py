"""Taking jobs in: all that come together, or none; and no trace of those that are refused."""

import asyncio
import io
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

import pytest
from typing_extensions import override

from tests.support.audio_samples import BY_NAME, encode, tone
from whisper_inference.audio.decoding import AudioLimits
from whisper_inference.errors import (
    BatchNotFound,
    JobStoreFull,
    StoreUnavailable,
    TooManyJobs,
    UnsupportedAudioFormat,
    WhisperError,
)
from whisper_inference.formats import Rendering
from whisper_inference.jobs.batch import Batch, Recording
from whisper_inference.jobs.job import RECORD_BYTES, JobOrder, JobStatus
from whisper_inference.jobs.memory import MemoryJobStore
from whisper_inference.jobs.queue import JobPolicy, JobQueue, Sender
from whisper_inference.jobs.store import Place, Room
from whisper_inference.quotas.quota import Consumer
from whisper_inference.transcription import TranscriptionOptions

ResultT = TypeVar("ResultT")

SOUND = encode(tone(0.5, 16_000), BY_NAME["wav_16k"])
ROOMY = Room(2**20, 10)
ANNA = Sender("anna", Consumer("key:anna"))
ORDER = JobOrder(options=TranscriptionOptions(), rendering=Rendering("text"))


def recordings(*contents: bytes) -> Sequence[Recording]:
    return [Recording(io.BytesIO(content), f"{index}.wav") for index, content in enumerate(contents)]


class Breaking(MemoryJobStore):
    """Goes away when so many pieces of audio have been put, and comes back."""

    def __init__(self, after: int) -> None:
        super().__init__(time.time)
        self.left = after

    @override
    async def put(self, place: Place, index: int, data: bytes, lasting: timedelta) -> None:
        if place.kind == "audio":
            self.left -= 1
            if self.left < 0:
                raise StoreUnavailable("away", retry_after_seconds=1)
        await super().put(place, index, data, lasting)


def use(
    work: Callable[[JobQueue], Awaitable[ResultT]], room: Room = ROOMY, store: MemoryJobStore | None = None
) -> ResultT:
    """Run work with a queue."""

    async def whole() -> ResultT:
        policy = JobPolicy(room, timedelta(minutes=1), 30.0, AudioLimits())
        return await work(JobQueue(store or MemoryJobStore(time.time), policy))

    return asyncio.run(whole())


def test_a_batch_waits_and_is_found_by_its_owner_and_by_nobody_else() -> None:
    async def work(queue: JobQueue) -> None:
        batch = await queue.submit_batch(ANNA, ORDER, recordings(SOUND, SOUND, SOUND))
        assert [job.status for job in batch.jobs] == [JobStatus.QUEUED] * 3
        assert queue.arrived.is_set()
        for owner in ("anna", None):
            assert await queue.find_batch(batch.id, owner) == batch
        for identity, owner in ((batch.id, "berta"), ("batch_" + "0" * 28, "anna"), ("x", "anna"), ("", None)):
            with pytest.raises(BatchNotFound):
                await queue.find_batch(identity, owner)
        for job in batch.jobs:
            with await queue.fetch_audio(job) as audio:
                assert audio.read() == SOUND

    use(work)


def test_a_batch_is_found_among_other_jobs_until_the_last_of_its_own_is_forgotten() -> None:
    async def work(queue: JobQueue) -> None:
        before = await queue.submit(ANNA, ORDER, io.BytesIO(SOUND))
        batch = await queue.submit_batch(ANNA, ORDER, recordings(SOUND, SOUND))
        after = await queue.submit_batch(ANNA, ORDER, recordings(SOUND))
        await queue.forget(batch.jobs[1])
        assert await queue.find_batch(batch.id, "anna") == Batch(batch.id, [batch.jobs[0]], 2)
        await queue.forget(batch.jobs[0])
        with pytest.raises(BatchNotFound):
            await queue.find_batch(batch.id, "anna")
        assert [job.id for job in await queue.page("anna", None, 10)] == [after.jobs[0].id, before.id]

    use(work)


@pytest.mark.parametrize(
    ("contents", "room", "fact", "param"),
    [
        ([SOUND, SOUND, b"no sound " * 20], ROOMY, UnsupportedAudioFormat, "file[2]"),
        ([SOUND] * 4, Room(2**20, 3), TooManyJobs, None),
        ([SOUND] * 4, Room(3 * (len(SOUND) + RECORD_BYTES), 10), JobStoreFull, None),
    ],
)
def test_where_one_is_refused_nothing_of_the_others_is_kept(
    contents: list[bytes], room: Room, fact: type[WhisperError], param: str | None
) -> None:
    async def work(queue: JobQueue) -> None:
        with pytest.raises(fact) as refusal:
            await queue.submit_batch(ANNA, ORDER, recordings(*contents))
        assert refusal.value.param == param
        assert not queue.arrived.is_set()
        assert await queue.store.page(None, None, 10) == []
        assert await queue.store.used_bytes() == 0
        await queue.submit_batch(ANNA, ORDER, recordings(SOUND, SOUND))  # there is room again

    use(work, room)


def test_a_store_that_goes_away_meanwhile_leaves_nothing_behind_once_it_is_back() -> None:
    async def work(queue: JobQueue) -> None:
        with pytest.raises(StoreUnavailable):
            await queue.submit_batch(ANNA, ORDER, recordings(SOUND, SOUND, SOUND))
        assert await queue.store.page(None, None, 10) == []
        assert await queue.store.due("work", 10) == []

    use(work, store=Breaking(after=2))


def test_a_single_recording_is_part_of_no_batch() -> None:
    async def work(queue: JobQueue) -> None:
        assert (await queue.submit(ANNA, ORDER, io.BytesIO(SOUND))).batch is None

    use(work)
