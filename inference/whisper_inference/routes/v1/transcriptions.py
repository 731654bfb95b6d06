"""Transcription in one answer that says everything: text, words, what was withheld and why, where, how fast.

OpenAI's own routes speak OpenAI's shapes, and stream. These offer what those have no field for: any ladder of
temperatures, thresholds, patience, seed, subtitles of a translation from a language that is known.
"""

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from whisper_contract.surface import API_PATH, DEVICE_HEADER
from whisper_inference.audit.events import Action
from whisper_inference.composition import Services
from whisper_inference.dependencies import Loaded, audited
from whisper_inference.formats import render_plain
from whisper_inference.routes.admission import Admitted
from whisper_inference.routes.audio import answer_whole, check_model, respond
from whisper_inference.routes.description import audio_form, with_headers
from whisper_inference.routes.transcript_bodies import AUDIO_ERRORS
from whisper_inference.routes.uploads import read_upload
from whisper_inference.routes.v1.requests import parse_fields
from whisper_inference.routes.v1.transcript_response import TranscriptResponse, build_timings
from whisper_inference.routes.v1.transcription_request import TranscriptionRequest
from whisper_inference.security.roles import Role
from whisper_inference.transcriber.metering import Metering
from whisper_inference.transcription import Task, Transcript

TRANSCRIPTIONS: Final = "/transcriptions"
TRANSLATIONS: Final = "/translations"

UPLOAD_PATHS: Final = frozenset({API_PATH + TRANSCRIPTIONS, API_PATH + TRANSLATIONS})
"""Where a body may be as large as audio is."""

_FORM: Final = audio_form(TranscriptionRequest.model_json_schema()["properties"], (), {"word_timestamps": True})
_TEXT: Final = {"type": "string"}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = AUDIO_ERRORS | {
    200: {
        "model": TranscriptResponse,
        "description": "The transcript, in the format that was asked for.",
        "content": {
            "text/plain": {"schema": _TEXT, "example": "Good morning.\n"},
            "text/vtt": {"schema": _TEXT, "example": "WEBVTT\n\n00:00:00.000 --> 00:00:02.400\nGood morning.\n"},
        },
    }
    | with_headers(DEVICE_HEADER)
}

router = APIRouter(
    prefix=API_PATH,
    tags=["transcriptions"],
    dependencies=audited(Role.TRANSCRIBER, Action.TRANSCRIPTION),
)


@router.post(
    TRANSCRIPTIONS,
    summary="Transcribe a recording",
    response_class=JSONResponse,
    responses=_ANSWERS,
    openapi_extra=_FORM,
)
async def create_transcription(request: Request, services: Loaded, metered: Admitted) -> Response:
    """Send a recording as `multipart/form-data` and wait for its text, in its own language."""
    return await _answer(request, services, "transcribe", metered)


@router.post(
    TRANSLATIONS,
    summary="Translate a recording into English",
    response_class=JSONResponse,
    responses=_ANSWERS,
    openapi_extra=_FORM,
)
async def create_translation(request: Request, services: Loaded, metered: Admitted) -> Response:
    """Send a recording as `multipart/form-data` and wait for its text in English."""
    return await _answer(request, services, "translate", metered)


async def _answer(request: Request, services: Services, task: Task, metered: Metering) -> Response:
    began = time.monotonic()
    upload = await read_upload(request)
    received = time.monotonic()
    with closing(upload.file):
        asked = parse_fields(TranscriptionRequest, upload.fields)
        if asked.model is not None:
            check_model(asked.model, services)
        render = _renderer(asked, services, began, received)
        return await answer_whole(request, services, upload, asked.options(task), metered, render)


def _renderer(
    asked: TranscriptionRequest, services: Services, began: float, received: float
) -> Callable[[Transcript], Response]:
    def render(transcript: Transcript) -> Response:
        if asked.format != "json":
            return respond(render_plain(transcript, asked.format))
        timings = build_timings(received - began, time.monotonic() - received, transcript.duration)
        return JSONResponse(TranscriptResponse.of(transcript, services, timings).model_dump(mode="json"))

    return render
