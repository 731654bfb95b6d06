"""A job's form: OpenAI's fields of a transcription, and those that only a job has. Pure."""

from typing import Final, NamedTuple

from whisper_inference.errors import InvalidRequest, UnsupportedField
from whisper_inference.routes.description import audio_form
from whisper_inference.routes.description.answers import Json
from whisper_inference.routes.form_fields import FIELDS
from whisper_inference.routes.transcription_form import FormFields, TranscriptionForm, parse_form
from whisper_inference.transcription import Task

_TASKS: Final[tuple[Task, ...]] = ("transcribe", "translate")


_JOB_FIELDS: Final = frozenset({"task", "webhook_url"})


class JobForm(NamedTuple):
    """A job, understood."""

    transcription: TranscriptionForm
    webhook_url: str | None


def parse_job_form(fields: FormFields) -> JobForm:
    """Understand the fields of a job.

    Raises:
        InvalidRequest: A value means nothing, or fields exclude each other.
        UnsupportedField: A field that a job cannot obey.
    """
    form = parse_form({name: values for name, values in fields.items() if name not in _JOB_FIELDS}, _task(fields))
    if form.stream:
        raise UnsupportedField("A job does not stream: leave stream out, and ask for the result later.", param="stream")
    return JobForm(form, _webhook_url(fields))


def job_form_body(*, many: bool = False) -> Json:
    """Describe the form, for a route's `openapi_extra`; that of a batch has many files."""
    fields = {name: each.schema(name) for name, each in FIELDS.items() if name != "stream"}
    task = {"type": "string", "enum": list(_TASKS), "default": _TASKS[0], "description": "`translate` is into English."}
    webhook = {"type": "string", "format": "uri", "description": "Called, signed, when the job is over: docs/jobs.md."}
    ours: Json = {"task": task, "webhook_url": webhook}
    return audio_form(fields | ours, ["model"], {"model": "whisper-1", "response_format": "srt"}, many=many)


def _webhook_url(fields: FormFields) -> str | None:
    given = [value for value in fields.get("webhook_url", ()) if value]
    if len(given) > 1:
        raise InvalidRequest(f"webhook_url is given {len(given)} times; send it once.", param="webhook_url")
    return given[0] if given else None


def _task(fields: FormFields) -> Task:
    given = fields.get("task", ("transcribe",))
    for task in _TASKS:
        if list(given) == [task]:
            return task
    raise InvalidRequest(f"task takes {' or '.join(_TASKS)}, once.", param="task")
