"""OpenAI's own routes: transcriptions, translations and models, as its clients call them."""

import json
from collections.abc import AsyncIterator
from contextlib import ExitStack, aclosing, closing
from dataclasses import asdict
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse

from whisper_contract.surface import DEVICE_HEADER, MODELS_PATH, TRANSCRIPTIONS_PATH, TRANSLATIONS_PATH
from whisper_inference import formats
from whisper_inference.composition import Services
from whisper_inference.dependencies import Loaded, State
from whisper_inference.error_responses import error_body
from whisper_inference.errors import ModelNotFound, WhisperError
from whisper_inference.routes.transcription_form import TranscriptionForm, parse_form
from whisper_inference.routes.uploads import ClientGone, Upload, read_upload, unless_client_leaves
from whisper_inference.transcription import Segment, Task, Transcript

ALIAS: Final = "whisper-1"
"""OpenAI's name for its hosted model: whatever is loaded answers to it."""

_CLIENT_CLOSED_REQUEST: Final = 499
"""Nobody reads it; the metrics tell it from failures (nginx's convention)."""

router = APIRouter()


@router.post(TRANSCRIPTIONS_PATH)
async def create_transcription(request: Request, services: Loaded) -> Response:
    """Transcribe an upload in its own language."""
    return await _answer(request, services, "transcribe")


@router.post(TRANSLATIONS_PATH)
async def create_translation(request: Request, services: Loaded) -> Response:
    """Transcribe an upload into English."""
    return await _answer(request, services, "translate")


@router.get(MODELS_PATH)
def list_models(services: Loaded, state: State) -> JSONResponse:
    """List the loaded model."""
    return JSONResponse({"object": "list", "data": [_model(services, state.started)]})


@router.get(MODELS_PATH + "/{name:path}")
def retrieve_model(name: str, services: Loaded, state: State) -> JSONResponse:
    """Describe the loaded model."""
    _check_model(name, services)
    return JSONResponse(_model(services, state.started))


async def _answer(request: Request, services: Services, task: Task) -> Response:
    upload = await read_upload(request)
    with ExitStack() as stack:
        stack.callback(upload.file.close)
        form = parse_form(upload.fields, task)
        _check_model(form.model, services)
        headers: dict[str, str] = {DEVICE_HEADER: services.scheduler.capabilities.device}
        if form.stream:
            response = await _stream(upload, form, services, headers)
            stack.pop_all()  # the answer reads on, and closes the file at its end
            return response
        try:
            work = services.transcriber.transcribe(upload.file, form.options)
            transcript = await unless_client_leaves(request, work)
        except ClientGone:
            return Response(status_code=_CLIENT_CLOSED_REQUEST)
        return _render(transcript, form, services, headers)


def _render(transcript: Transcript, form: TranscriptionForm, services: Services, headers: dict[str, str]) -> Response:
    match form.response_format:
        case "text":
            return PlainTextResponse(formats.render_text(transcript), headers=headers)
        case "srt":
            return PlainTextResponse(formats.render_srt(transcript), headers=headers)
        case "vtt":
            return Response(formats.render_vtt(transcript), media_type="text/vtt", headers=headers)
        case "json":
            body = formats.build_json(transcript, logprobs=form.options.logprobs)
            return JSONResponse(body, headers=headers)
        case "verbose_json":
            language = services.model.tokenizer.language_name(transcript.language)
            words = form.options.word_timestamps
            body = formats.build_verbose_json(transcript, language, segments=form.segments, words=words)
            return JSONResponse(body, headers=headers)


async def _stream(upload: Upload, form: TranscriptionForm, services: Services, headers: dict[str, str]) -> Response:
    """Answer with server-sent events; what is wrong before the first one still gets its status."""
    items = services.transcriber.stream(upload.file, form.options)
    try:
        first = await anext(items)
    except BaseException:
        await items.aclose()
        raise

    async def events() -> AsyncIterator[str]:
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


def _check_model(name: str, services: Services) -> None:
    if name not in {services.model_name, ALIAS}:
        raise ModelNotFound(
            f"The model {name[:128]!r} is not loaded here; ask for {services.model_name!r} or {ALIAS!r}.", param="model"
        )


def _model(services: Services, created: int) -> dict[str, Any]:
    return {
        "id": services.model_name,
        "object": "model",
        "created": created,
        "owned_by": "whisper-operator",
        "capabilities": asdict(services.scheduler.capabilities)
        | {"languages": list(services.model.tokenizer.languages), "response_formats": list(formats.FORMATS)},
    }
