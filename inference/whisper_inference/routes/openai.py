"""OpenAI's own routes: transcriptions, translations and models, as its clients call them."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack, aclosing, closing
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from whisper_contract.surface import MODELS_PATH, TRANSCRIPTIONS_PATH, TRANSLATIONS_PATH
from whisper_inference import formats
from whisper_inference.audit.events import Action
from whisper_inference.composition import Services
from whisper_inference.dependencies import Loaded, Requires, State, audited
from whisper_inference.error_responses import error_body
from whisper_inference.errors import ModelNotFound, WhisperError
from whisper_inference.routes.admission import Admitted
from whisper_inference.routes.audio import answer_whole, check_model, device_header, noted, respond
from whisper_inference.routes.description import may_raise
from whisper_inference.routes.handover import here_or_elsewhere
from whisper_inference.routes.model_bodies import ModelBody, ModelListBody, ModelName
from whisper_inference.routes.transcript_bodies import form_body, transcript_responses
from whisper_inference.routes.transcription_form import TranscriptionForm, parse_form
from whisper_inference.routes.uploads import Upload, read_upload
from whisper_inference.security.roles import Role
from whisper_inference.transcriber.metering import Metering
from whisper_inference.transcription import Segment, Task, Transcript

_VIEWER: Final = Depends(Requires(Role.VIEWER))
_TRANSCRIBER: Final = audited(Role.TRANSCRIBER, Action.TRANSCRIPTION)

UPLOAD_PATHS: Final = frozenset({TRANSCRIPTIONS_PATH, TRANSLATIONS_PATH})
"""Where a body may be as large as audio is."""

router = APIRouter(tags=["openai"])


@router.post(
    TRANSCRIPTIONS_PATH,
    dependencies=_TRANSCRIBER,
    responses=transcript_responses("transcribe"),
    openapi_extra=form_body("transcribe"),
)
async def create_transcription(request: Request, services: Loaded, metered: Admitted) -> Response:
    """Transcribe audio in its own language.

    OpenAI's "Create transcription": its fields are obeyed or refused by name.
    """
    return await _answer(request, services, "transcribe", metered)


@router.post(
    TRANSLATIONS_PATH,
    dependencies=_TRANSCRIBER,
    responses=transcript_responses("translate"),
    openapi_extra=form_body("translate"),
)
async def create_translation(request: Request, services: Loaded, metered: Admitted) -> Response:
    """Translate audio into English.

    OpenAI's "Create translation".
    """
    return await _answer(request, services, "translate", metered)


@router.get(MODELS_PATH, dependencies=[_VIEWER], response_model=ModelListBody)
async def list_models(services: Loaded, state: State) -> JSONResponse:
    """List the models that are loaded.

    One process serves one model; `capabilities` says what it and its device can do.
    """
    return JSONResponse({"object": "list", "data": [_model(services, state.started)]})


@router.get(
    MODELS_PATH + "/{name:path}",
    dependencies=[_VIEWER],
    response_model=ModelBody,
    responses=may_raise(ModelNotFound),
)
async def retrieve_model(name: ModelName, services: Loaded, state: State) -> JSONResponse:
    """Describe a model that is loaded."""
    check_model(name, services)
    return JSONResponse(_model(services, state.started))


async def _answer(request: Request, services: Services, task: Task, metered: Metering) -> Response:
    upload = await read_upload(request)
    with ExitStack() as stack:
        stack.callback(upload.file.close)
        form = parse_form(upload.fields, task)
        check_model(form.model, services)
        if form.stream:
            items = noted(request, services, services.transcriber.stream(upload.file, form.options, metered))
            here = _stream(upload, form, items, device_header(services))
            response = await here_or_elsewhere(request, upload, here)
            stack.pop_all()  # the answer reads on, and closes the file at its end
            return response
        render = partial(_render, form=form, services=services)
        return await answer_whole(request, services, upload, form.options, metered, render)


def _render(transcript: Transcript, form: TranscriptionForm, services: Services) -> Response:
    language = services.model.tokenizer.language_name(transcript.language)
    return respond(formats.render(transcript, form.rendering, language))


async def _stream(
    upload: Upload, form: TranscriptionForm, items: AsyncGenerator[Segment | Transcript, None], headers: dict[str, str]
) -> Response:
    """Answer with server-sent events; what is wrong before the first one still gets its status."""
    try:
        first = await anext(items)
    except BaseException:
        await items.aclose()
        raise

    async def events() -> AsyncIterator[str]:
        """Yield what is sent; the upload and the work behind it end with whoever listens."""
        with closing(upload.file):
            async with aclosing(items):
                try:
                    for event in _events(first, form, is_first=True):
                        yield event
                    async for item in items:
                        for event in _events(item, form, is_first=False):
                            yield event
                except WhisperError as problem:
                    yield _event({"type": "error"} | error_body(problem))

    return StreamingResponse(events(), media_type="text/event-stream", headers=headers | {"Cache-Control": "no-store"})


def _events(item: Segment | Transcript, form: TranscriptionForm, *, is_first: bool) -> list[str]:
    logprobs = form.options.logprobs
    if isinstance(item, Transcript):
        return [_event(formats.build_done(item, logprobs=logprobs))]
    events = [_event(formats.build_delta(item, first=is_first, logprobs=logprobs))]
    if form.response_format == "verbose_json":
        events.append(_event(formats.build_segment_event(item)))
    return events


def _event(body: dict[str, Any]) -> str:
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n"


def _model(services: Services, created: int) -> dict[str, Any]:
    return {
        "id": services.model_name,
        "object": "model",
        "created": created,
        "owned_by": "whisper-operator",
        "capabilities": asdict(services.scheduler.capabilities)
        | {"languages": list(services.model.tokenizer.languages), "response_formats": list(formats.FORMATS)},
    }
