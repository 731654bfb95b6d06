"""Jobs: recordings that take longer than a request should."""

from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, JsonValue

from whisper_contract.surface import API_PATH
from whisper_inference.audit.events import Action
from whisper_inference.auditing import Auditing, request_audit
from whisper_inference.dependencies import Loaded, Requires, State, audited
from whisper_inference.errors import JobNotFinished, JobNotFound, JobStoreFull, JobWithoutResult, TooManyJobs
from whisper_inference.formats import TranscriptFormat
from whisper_inference.jobs.job import JOB_ID, BatchPlace, Failure, Job, JobOrder, JobStatus, JobWebhook, UnixTime
from whisper_inference.jobs.queue import JobQueue, Sender
from whisper_inference.quotas.store import LeaseClass
from whisper_inference.routes.admission import Admits
from whisper_inference.routes.audio import check_model, respond
from whisper_inference.routes.description import may_raise
from whisper_inference.routes.job_form import job_form_body, parse_job_form
from whisper_inference.routes.transcript_bodies import AUDIO_ERRORS, plain_transcript_responses
from whisper_inference.routes.uploads import read_upload
from whisper_inference.routes.v1.auth import Someone
from whisper_inference.security.roles import Principal, Role
from whisper_inference.transcription import Seconds

_PATH: Final = f"{API_PATH}/jobs"
UPLOAD_PATHS: Final = frozenset({_PATH})
"""Where a body may be as large as a job's audio is."""
_MOST_OF_A_PAGE: Final = 100
NOT_DURABLE: Final = (
    "This server keeps jobs in its own process: the job dies with it, and other replicas do not know it."
)
"""What it means that a job is not durable."""

Identity = Annotated[str, Path(description="The job's `id`.", examples=["job_019abcdef0120123456789abcdef0123"])]
_RESULT: Final = may_raise(JobNotFound, JobNotFinished, JobWithoutResult) | plain_transcript_responses()

Transcribing = Annotated[Principal, Depends(Requires(Role.TRANSCRIBER))]
"""Anyone who may send audio."""

router = APIRouter(prefix=_PATH, tags=["jobs"])


class JobLinks(BaseModel):
    """Where to go on."""

    self: str
    result: str


JOB_EXAMPLE: Final[dict[str, JsonValue]] = {
    "object": "job",
    "id": "job_019abcdef0120123456789abcdef0123",
    "owner": "newsroom",
    "status": "running",
    "progress": 0.25,
    "created_at": "2026-11-25T09:00:00Z",
    "started_at": "2026-11-25T09:00:01Z",
    "finished_at": None,
    "response_format": "srt",
    "duration": None,
    "error": None,
    "durable": True,
    "notice": None,
    "webhook": None,
    "batch": None,
    "links": {
        "self": "/api/v1/jobs/job_019abcdef0120123456789abcdef0123",
        "result": "/api/v1/jobs/job_019abcdef0120123456789abcdef0123/result",
    },
}


class JobResponse(BaseModel):
    """A job as its owner sees it; never the text."""

    model_config = ConfigDict(json_schema_extra={"examples": [JOB_EXAMPLE]})

    object: Literal["job"] = "job"
    id: str
    owner: str
    status: JobStatus
    progress: float
    """From 0 to 1."""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    response_format: TranscriptFormat
    duration: Seconds | None
    """Of the audio; known when the job has succeeded."""
    error: Failure | None
    durable: bool
    """Whether the job outlives the process that took it in."""
    notice: str | None
    """What it means that it does not."""
    webhook: JobWebhook | None
    batch: BatchPlace | None
    """Where it stands in the batch that it came in, if it did."""
    links: JobLinks


class JobList(BaseModel):
    """A page of jobs, the newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"object": "list", "data": [JOB_EXAMPLE], "next": None}]})

    object: Literal["list"] = "list"
    data: list[JobResponse]
    next: str | None
    """Send it as `before` for the next page; nothing on the last one."""


@router.post(
    "",
    status_code=202,
    dependencies=[*audited(Role.TRANSCRIBER, Action.JOB_SUBMIT), Depends(Admits(LeaseClass.REQUESTS))],
    responses=AUDIO_ERRORS | may_raise(JobStoreFull, TooManyJobs),
    openapi_extra=job_form_body(),
)
async def create_job(
    request: Request, someone: Transcribing, services: Loaded, state: State, response: Response
) -> JobResponse:
    """Send a recording, to be transcribed when there is room.

    The fields are those of OpenAI's transcription, without `stream`; recordings may be longer than those of a request.
    """
    await state.jobs.check_room(declared_bytes(request))
    upload = await read_upload(request)
    with closing(upload.file):
        form, webhook_url = parse_job_form(upload.fields)
        check_model(form.model, services)
        services.transcriber.check(form.options)
        order = JobOrder(options=form.options, rendering=form.rendering)
        job = await state.jobs.submit(Sender(someone.name, someone.consumer), order, upload.file, webhook_url)
    request_audit(request).note(subject=job.id)
    answer = describe(job, state.jobs)
    response.headers["Location"] = answer.links.self
    return answer


@router.get("")
async def list_jobs(
    someone: Someone,
    state: State,
    limit: Annotated[int, Query(ge=1, le=_MOST_OF_A_PAGE, description="How many.")] = 20,
    before: Annotated[
        str | None, Query(pattern=f"^{JOB_ID.pattern}$", description="The `next` of the page before.")
    ] = None,
) -> JobList:
    """List your jobs, the newest first.

    An admin sees everybody's.
    """
    jobs = await state.jobs.page(whose(someone), before, limit + 1)
    page = jobs[:limit]
    return JobList(
        data=[describe(job, state.jobs) for job in page], next=page[-1].id if len(jobs) > limit and page else None
    )


@router.get("/{identity}", responses=may_raise(JobNotFound))
async def read_job(identity: Identity, someone: Someone, state: State) -> JobResponse:
    """Say how far a job is.

    Its text is never in here: that is the result.
    """
    return describe(await state.jobs.find(identity, whose(someone)), state.jobs)


@router.get("/{identity}/result", dependencies=audited(Role.VIEWER, Action.JOB_RESULT), responses=_RESULT)
async def read_result(identity: Identity, someone: Someone, state: State, audit: Auditing) -> Response:
    """Read what came of a job.

    In the format that the job asked for, for as long as the job is kept.
    """
    audit.note(subject=identity)
    result = await state.jobs.result(await state.jobs.find(identity, whose(someone)))
    response = respond(result)
    response.headers["Cache-Control"] = "no-store"
    return response


@router.delete(
    "/{identity}",
    response_model=JobResponse,
    dependencies=audited(Role.TRANSCRIBER, Action.JOB_CANCEL),
    responses=may_raise(JobNotFound) | {204: {"description": "It was over, and is forgotten with its result."}},
)
async def delete_job(identity: Identity, someone: Transcribing, state: State, audit: Auditing) -> Response:
    """Cancel a job, or forget it.

    One that is not over is cancelled, and the answer. One that is over is forgotten, and the answer is empty.
    """
    audit.note(subject=identity)
    job = await state.jobs.find(identity, whose(someone))
    cancelled = await state.jobs.cancel(job)
    if cancelled is None:
        await state.jobs.forget(job)
        return Response(status_code=204)
    state.metrics.jobs.job_over(cancelled.status)
    return Response(describe(cancelled, state.jobs).model_dump_json(), media_type="application/json")


def describe(job: Job, queue: JobQueue) -> JobResponse:
    """Return what its owner is told of a job."""
    return JobResponse(
        id=job.id,
        owner=job.owner,
        status=job.status,
        progress=round(job.progress, 3),
        created_at=as_time(job.created),
        started_at=None if job.started is None else as_time(job.started),
        finished_at=None if job.finished is None else as_time(job.finished),
        response_format=job.order.rendering.response_format,
        duration=job.audio_seconds,
        error=job.failure,
        durable=queue.durable,
        notice=None if queue.durable else NOT_DURABLE,
        webhook=job.webhook,
        batch=job.batch,
        links=JobLinks.model_validate(links_of(job.id)),
    )


def links_of(identity: str) -> dict[str, str]:
    """Say where to go on from a job."""
    return {"self": f"{_PATH}/{identity}", "result": f"{_PATH}/{identity}/result"}


def whose(someone: Principal) -> str | None:
    """Return whose jobs somebody may see; `None` for everybody's."""
    return None if someone.role is Role.ADMIN else someone.name


def as_time(moment: UnixTime) -> datetime:
    """Return a moment as people write it."""
    return datetime.fromtimestamp(moment, UTC)


def declared_bytes(request: Request) -> int:
    """Return how long a request says that its body is; 0 where it does not."""
    declared = request.headers.get("content-length", "")
    return int(declared) if declared.isdecimal() else 0
