"""Jobs as their owners and their workers see them: whoever changes one says which version was read."""

import asyncio
import secrets
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import BinaryIO, Final, NamedTuple, TypeAlias

from whisper_inference.audio.decoding import AudioLimits, probe_audio
from whisper_inference.errors import (
    BatchNotFound,
    JobNotFinished,
    JobNotFound,
    JobWithoutResult,
    StoreUnavailable,
    UnreadableAudio,
    WhisperError,
)
from whisper_inference.formats import Rendered
from whisper_inference.jobs.batch import BATCH_ID, Batch, Recording, batch_of, end_of, gather
from whisper_inference.jobs.destinations import DestinationRules
from whisper_inference.jobs.job import (
    CHUNK_BYTES,
    JOB_ID,
    RECEIVING_SECONDS,
    RECORD_BYTES,
    Job,
    JobOrder,
    JobStatus,
    JobWebhook,
    UnixTime,
)
from whisper_inference.jobs.refusals import store_full
from whisper_inference.jobs.store import Due, JobStore, Place, Room
from whisper_inference.quotas.quota import Consumer
from whisper_inference.transcription import Seconds

_IN_MEMORY_BYTES: Final = 8 * 2**20
"""Of a recording that a worker reads; the rest of a longer one lies on disk."""
_RECEIVING: Final = timedelta(seconds=RECEIVING_SECONDS)

Change: TypeAlias = Callable[[Job, UnixTime], Job | None]
"""Makes the next version of a job, or `None` where it is not allowed."""


class Sender(NamedTuple):
    """Who sends a job."""

    name: str
    consumer: Consumer


class Asked(NamedTuple):
    """What all recordings of one request have in common."""

    sender: Sender
    order: JobOrder
    webhook_url: str | None
    at: UnixTime


class JobPolicy(NamedTuple):
    """What jobs may take, and for how long."""

    room: Room
    retention: timedelta
    """How long a job is kept that is over. One that is not may take twice as long."""
    lease: Seconds
    """How long a worker that is not heard of keeps its job."""
    audio: AudioLimits
    """What one recording may cost."""
    destinations: DestinationRules = DestinationRules()
    """Where webhooks may go."""
    secret: bytes | None = None
    """What they are signed with."""


class JobQueue:
    """Takes jobs in, finds them, changes them, and forgets them."""

    def __init__(self, store: JobStore, policy: JobPolicy) -> None:
        self.store, self.policy = store, policy
        self.arrived = asyncio.Event()
        """Set when this process took a job in: its worker need not wait for its next look."""

    @property
    def durable(self) -> bool:
        """Say whether jobs outlive this process."""
        return self.store.durable

    # For owners

    async def check_room(self, upload_bytes: int) -> None:
        """Refuse an upload before it is read.

        Raises:
            JobStoreFull: There is no room for that much.
        """
        room = self.policy.room
        if await self.store.used_bytes() + upload_bytes + RECORD_BYTES > room.total_bytes:
            raise store_full(room)

    async def submit(self, sender: Sender, order: JobOrder, file: BinaryIO, webhook_url: str | None = None) -> Job:
        """Take a job in.

        Raises:
            WhisperError: The recording is refused at a glance, or the webhook's destination is not allowed.
            JobStoreFull: There is no room for its audio.
            TooManyJobs: Its owner has enough.
        """
        draft = await self._draft(Asked(sender, order, webhook_url, await self.store.now()), file)
        return (await self._take_in([(draft, file)]))[0]

    async def submit_batch(
        self, sender: Sender, order: JobOrder, recordings: Sequence[Recording], webhook_url: str | None = None
    ) -> Batch:
        """Take jobs in together: all of them, or none. See `submit`; an error's `param` says which file it is."""
        asked = Asked(sender, order, webhook_url, await self.store.now())
        drafts: list[Job] = []
        for index, recording in enumerate(recordings):
            try:
                drafts.append(await self._draft(asked, recording.file))
            except WhisperError as refused:
                refused.param = f"file[{index}]" if refused.param == "file" else refused.param
                raise
        batch = gather(drafts, [each.name for each in recordings], asked.at)
        taken = await self._take_in(list(zip(batch.jobs, (each.file for each in recordings), strict=True)))
        return batch._replace(jobs=taken)

    async def _draft(self, asked: Asked, file: BinaryIO) -> Job:
        """Look at a recording, and make a job that nobody keeps yet."""
        if asked.webhook_url is not None:
            self.policy.destinations.check(asked.webhook_url)
        expected_seconds = await asyncio.to_thread(probe_audio, file, self.policy.audio)
        return Job(
            id=f"job_{round(asked.at * 1000):012x}{secrets.token_hex(10)}",
            owner=asked.sender.name,
            consumer=asked.sender.consumer,
            order=asked.order,
            audio_bytes=file.seek(0, 2),
            expected_seconds=expected_seconds,
            created=asked.at,
            webhook=None if asked.webhook_url is None else JobWebhook(url=asked.webhook_url),
        )

    async def _take_in(self, drafts: Sequence[tuple[Job, BinaryIO]]) -> list[Job]:
        """Keep jobs and their audio: all of them, or none."""
        try:
            for job, _ in drafts:
                await self.store.create(job, self.policy.room, _RECEIVING)
            for job, file in drafts:
                await self._receive(job, file)
            queued = [await self._queue(job) for job, _ in drafts]
        except BaseException:
            with suppress(StoreUnavailable):  # what is left there ends by itself
                for job, _ in drafts:
                    await self.forget(job)
            raise
        self.arrived.set()
        return queued

    async def _receive(self, job: Job, file: BinaryIO) -> None:
        place = Place(job.id, "audio")
        file.seek(0)
        for index in range(job.chunks):
            chunk = await asyncio.to_thread(file.read, CHUNK_BYTES)
            await self.store.put(place, index, chunk, _RECEIVING)
        await self.store.keep(place, self._lasting(job))

    async def _queue(self, job: Job) -> Job:
        queued = await self.change(job.id, lambda each, at: each.queued(at))
        if queued is None:
            raise JobNotFound("The job was lost while its audio was received: send it again.")
        return queued

    async def find(self, identity: str, owner: str | None) -> Job:
        """Find somebody's job; with no owner, anybody's.

        Raises:
            JobNotFound: There is none of this id, or none of theirs.
        """
        job = await self.store.read(identity) if JOB_ID.fullmatch(identity) else None
        if job is None or job.status is JobStatus.RECEIVING or owner not in {None, job.owner}:
            raise JobNotFound(
                "There is no such job: it was deleted, its time is over, or the server that kept it has restarted."
            )
        return job

    async def find_batch(self, identity: str, owner: str | None) -> Batch:
        """Find somebody's batch; with no owner, anybody's.

        Raises:
            BatchNotFound: There is none of this id, or none of theirs.
        """
        end = end_of(identity) if BATCH_ID.fullmatch(identity) else None
        last = None if end is None else batch_of(identity, await self.page(owner, end, 1))
        batch = None if last is None else batch_of(identity, await self.page(owner, end, last.size))
        if batch is not None:
            return batch
        raise BatchNotFound(
            "There is no such batch: its jobs were deleted, their time is over, or the server that kept them has "
            "restarted."
        )

    async def page(self, owner: str | None, before: str | None, most: int) -> list[Job]:
        """Return somebody's jobs, or everybody's, the newest first."""
        jobs = await self.store.page(owner, before, most)
        return [job for job in jobs if job.status is not JobStatus.RECEIVING]

    async def result(self, job: Job) -> Rendered:
        """Return what came of a job.

        Raises:
            JobNotFinished: It is not over.
            JobWithoutResult: It failed, or was cancelled.
            JobNotFound: It is just now forgotten.
        """
        if not job.status.over:
            raise JobNotFinished(f"The job is {job.status}: ask for its result when it has succeeded.")
        if job.result is None:
            raise JobWithoutResult(f"The job has {job.status}, and there is no result: send the recording again.")
        body = await self.store.get(Place(job.id, "result"), 0)
        if body is None:
            raise JobNotFound("The time of this job's result is over: send the recording again.")
        return Rendered(job.result.media_type, body)

    async def cancel(self, job: Job) -> Job | None:
        """Stop a job; its worker hears of it at its next sign of life. `None` if it is over already."""
        return await self.change(job.id, lambda each, now: each.cancelled(now))

    async def forget(self, job: Job) -> None:
        """Forget a job and all that lies beside it."""
        await self.store.delete(job)
        await self.store.drop(Place(job.id, "result"))
        await self._drop_audio(job)

    # For workers

    async def due(self, most: int) -> list[Due]:
        """Return jobs that somebody has to look at, the longest first."""
        return await self.store.due("work", most)

    async def change(self, identity: str, change: Change) -> Job | None:
        """Change a job; what somebody else changed meanwhile is read again. `None` if it is gone or not allowed."""
        while True:
            job = await self.store.read(identity)
            changed = None if job is None else change(job, await self.store.now())
            if changed is None:
                return None
            if await self.store.replace(changed, self._lasting(changed)):
                if changed.status.over:
                    await self._drop_audio(changed)
                return changed

    async def fetch_audio(self, job: Job) -> BinaryIO:
        """Return a job's recording; whoever reads it closes it.

        Raises:
            UnreadableAudio: It is not there any more.
        """
        file = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - closed by the caller
        try:
            for index in range(job.chunks):
                await asyncio.to_thread(file.write, await self._chunk(job, index))
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file  # type: ignore[return-value] # typeshed knows it as IO[bytes]

    async def _chunk(self, job: Job, index: int) -> bytes:
        chunk = await self.store.get(Place(job.id, "audio"), index)
        if chunk is None:
            raise UnreadableAudio("The recording is not kept any more: send it again.", param="file")
        return chunk

    async def keep_part(self, job: Job, index: int, part: bytes) -> None:
        """Keep the transcript of a piece."""
        await self.store.put(Place(job.id, "parts"), index, part, self._lasting(job))

    async def find_part(self, job: Job, index: int) -> bytes | None:
        """Find the transcript of a piece."""
        return await self.store.get(Place(job.id, "parts"), index)

    async def keep_result(self, job: Job, result: Rendered) -> None:
        """Keep what came of a job, before it is said to have succeeded."""
        await self.store.put(Place(job.id, "result"), 0, result.body, self.policy.retention)

    async def _drop_audio(self, job: Job) -> None:
        await self.store.drop(Place(job.id, "audio"))
        await self.store.drop(Place(job.id, "parts"))

    def _lasting(self, job: Job) -> timedelta:
        return self.policy.retention if job.status.over else 2 * self.policy.retention
