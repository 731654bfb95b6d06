"""Batches: many recordings in one request, each of which becomes a job."""

from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict, JsonValue

from whisper_contract.surface import API_PATH
from whisper_inference.audit.events import Action
from whisper_inference.auditing import Auditing, request_audit
from whisper_inference.dependencies import Loaded, State, audited
from whisper_inference.errors import BatchNotFound, JobStoreFull, TooManyJobs
from whisper_inference.jobs.batch import MOST_FILES, Batch, BatchStatus
from whisper_inference.jobs.job import JobOrder, JobStatus
from whisper_inference.jobs.queue import JobQueue, Sender
from whisper_inference.quotas.store import LeaseClass
from whisper_inference.routes.admission import Admits
from whisper_inference.routes.audio import check_model
from whisper_inference.routes.batch_upload import read_recordings
from whisper_inference.routes.description import may_raise
from whisper_inference.routes.job_form import job_form_body, parse_job_form
from whisper_inference.routes.transcript_bodies import AUDIO_ERRORS
from whisper_inference.routes.v1.auth import Someone
from whisper_inference.routes.v1.jobs import (
    JOB_EXAMPLE,
    NOT_DURABLE,
    JobResponse,
    Transcribing,
    as_time,
    declared_bytes,
    describe,
    whose,
)
from whisper_inference.security.roles import Role

_PATH: Final = f"{API_PATH}/batches"
UPLOAD_PATHS: Final = frozenset({_PATH})
"""Where a body may be as large as a job's audio is: the files of a batch together are one upload."""
_EXAMPLE_ID: Final = "batch_019abcdef0120123456789abcdef"
_EXAMPLE_PLACE: Final[dict[str, JsonValue]] = {"id": _EXAMPLE_ID, "index": 0, "size": 2, "file_name": "monday.mp3"}
_EXAMPLE: Final[dict[str, JsonValue]] = {
    "object": "batch",
    "id": _EXAMPLE_ID,
    "owner": "newsroom",
    "status": "running",
    "progress": 0.625,
    "created_at": "2026-11-25T09:00:00Z",
    "finished_at": None,
    "counts": {"total": 2, "queued": 0, "running": 1, "succeeded": 0, "failed": 0, "cancelled": 0, "forgotten": 1},
    "durable": True,
    "notice": None,
    "jobs": [JOB_EXAMPLE | {"batch": _EXAMPLE_PLACE}],
    "links": {"self": f"{_PATH}/{_EXAMPLE_ID}"},
}

Identity = Annotated[str, Path(description="The batch's `id`.", examples=[_EXAMPLE_ID])]

router = APIRouter(prefix=_PATH, tags=["batches"])


class BatchCounts(BaseModel):
    """How many of a batch's jobs are in each state."""

    total: int
    queued: int
    running: int
    succeeded: int
    failed: int
    cancelled: int
    forgotten: int
    """Deleted, or no longer kept: they are not listed."""


class BatchLinks(BaseModel):
    """Where to go on."""

    self: str


class BatchResponse(BaseModel):
    """A batch as its owner sees it; never the texts."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    object: Literal["batch"] = "batch"
    id: str
    owner: str
    status: BatchStatus
    progress: float
    """From 0 to 1: the mean of its jobs, of which those that are over count as done."""
    created_at: datetime
    finished_at: datetime | None
    """When its last job was over."""
    counts: BatchCounts
    durable: bool
    """Whether its jobs outlive the process that took them in."""
    notice: str | None
    """What it means that they do not."""
    jobs: list[JobResponse]
    """In the order of the files; `batch` in each says which file it is."""
    links: BatchLinks


@router.post(
    "",
    status_code=202,
    dependencies=[*audited(Role.TRANSCRIBER, Action.JOB_SUBMIT), Depends(Admits(LeaseClass.REQUESTS))],
    responses=AUDIO_ERRORS | may_raise(JobStoreFull, TooManyJobs),
    openapi_extra=job_form_body(many=True),
)
async def create_batch(
    request: Request, someone: Transcribing, services: Loaded, state: State, response: Response
) -> BatchResponse:
    """Send many recordings, each to become a job.

    The fields are those of a job, and hold for all files. All are taken, or none: where one is refused, `param` in the
    error is `file[N]`, counted from 0.
    """
    await state.jobs.check_room(declared_bytes(request))
    async with read_recordings(request, min(state.jobs.policy.room.open_jobs, MOST_FILES)) as upload:
        form, webhook_url = parse_job_form(upload.fields)
        check_model(form.model, services)
        services.transcriber.check(form.options)
        order = JobOrder(options=form.options, rendering=form.rendering)
        sender = Sender(someone.name, someone.consumer)
        batch = await state.jobs.submit_batch(sender, order, upload.recordings, webhook_url)
    request_audit(request).note(subject=batch.id)
    answer = _describe(batch, state.jobs)
    response.headers["Location"] = answer.links.self
    return answer


@router.get("/{identity}", responses=may_raise(BatchNotFound))
async def read_batch(identity: Identity, someone: Someone, state: State) -> BatchResponse:
    """Say how far a batch is.

    With each of its jobs that is still kept; the texts are the jobs' results.
    """
    return _describe(await state.jobs.find_batch(identity, whose(someone)), state.jobs)


@router.delete(
    "/{identity}",
    response_model=BatchResponse,
    dependencies=audited(Role.TRANSCRIBER, Action.JOB_CANCEL),
    responses=may_raise(BatchNotFound) | {204: {"description": "It was done, and is forgotten with its results."}},
)
async def delete_batch(identity: Identity, someone: Transcribing, state: State, audit: Auditing) -> Response:
    """Cancel what is left of a batch, or forget it.

    Of one that is not done, the jobs that are not over are cancelled, the others keep their results, and the answer is
    the batch. One that is done is forgotten, and the answer is empty.
    """
    audit.note(subject=identity)
    batch = await state.jobs.find_batch(identity, whose(someone))
    if batch.status is BatchStatus.DONE:
        for job in batch.jobs:
            await state.jobs.forget(job)
        return Response(status_code=204)
    for job in batch.jobs:
        if (cancelled := await state.jobs.cancel(job)) is not None:
            state.metrics.jobs.job_over(cancelled.status)
    after = await state.jobs.find_batch(identity, whose(someone))
    return Response(_describe(after, state.jobs).model_dump_json(), media_type="application/json")


def _describe(batch: Batch, queue: JobQueue) -> BatchResponse:
    return BatchResponse(
        id=batch.id,
        owner=batch.owner,
        status=batch.status,
        progress=round(batch.progress, 3),
        created_at=as_time(batch.created),
        finished_at=None if batch.finished is None else as_time(batch.finished),
        counts=_counts(batch),
        durable=queue.durable,
        notice=None if queue.durable else NOT_DURABLE,
        jobs=[describe(job, queue) for job in batch.jobs],
        links=BatchLinks(self=f"{_PATH}/{batch.id}"),
    )


def _counts(batch: Batch) -> BatchCounts:
    counts = batch.counts
    return BatchCounts(
        total=batch.size,
        queued=counts[JobStatus.QUEUED],
        running=counts[JobStatus.RUNNING],
        succeeded=counts[JobStatus.SUCCEEDED],
        failed=counts[JobStatus.FAILED],
        cancelled=counts[JobStatus.CANCELLED],
        forgotten=batch.size - len(batch.jobs),
    )
