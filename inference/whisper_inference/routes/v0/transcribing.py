"""`transcribe` and `process-chunk`: sound as the old service took it, and its answers."""

import asyncio
import base64
import binascii
import io
import math
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from whisper_contract.surface import API_PATH, LEGACY_PATH
from whisper_inference.audit.events import Action
from whisper_inference.composition import Services
from whisper_inference.dependencies import Loaded
from whisper_inference.errors import InvalidRequest
from whisper_inference.models.languages import language_code
from whisper_inference.replicas.body import Whole
from whisper_inference.routes.admission import Admitted
from whisper_inference.routes.audio import answer_whole, check_model
from whisper_inference.routes.early_checks import ChecksFirst
from whisper_inference.routes.transcript_bodies import AUDIO_ERRORS
from whisper_inference.routes.uploads import Upload, read_upload
from whisper_inference.routes.v0.farewell import old_name
from whisper_inference.routes.v1.requests import RequestModel, parse_fields
from whisper_inference.security.roles import Role
from whisper_inference.transcription import Transcript, TranscriptionOptions

TRANSCRIBE: Final = f"{LEGACY_PATH}/transcribe"
PROCESS_CHUNK: Final = f"{LEGACY_PATH}/process-chunk"

_LONGEST_ID: Final = 256

router = APIRouter(
    tags=["old names"],
    dependencies=old_name(Role.TRANSCRIBER, f"{API_PATH}/transcriptions", Action.TRANSCRIPTION),
    route_class=ChecksFirst,
)


class OldForm(RequestModel):
    """The fields beside `audio`."""

    model: str | None = Field(None, max_length=_LONGEST_ID)
    language: str | None = Field(None, max_length=32)
    session_id: str | None = Field(None, max_length=_LONGEST_ID, description="Sent back.")
    enable_vad: bool = Field(default=True, description="false returns what the model wrote, also in silence.")


class ChunkMetadata(RequestModel):
    """What is known of a chunk."""

    sequence_number: int = Field(0, description="Sent back.")
    start_time: float = Field(0.0, description="Sent back.")
    end_time: float = Field(0.0, description="Sent back.")
    duration: float = Field(0.0, description="Sent back.")
    enable_vad: bool = Field(default=True, description="false returns what the model wrote, also in silence.")


class Chunk(RequestModel):
    """A recording in JSON."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"chunk_id": "7", "session_id": "meeting", "audio_data": "UklGRg=="}]}
    )

    chunk_id: str = Field(min_length=1, max_length=_LONGEST_ID, description="Sent back.")
    session_id: str = Field(min_length=1, max_length=_LONGEST_ID, description="Sent back.")
    audio_data: str = Field(min_length=1, description="A sound file in base64.")
    model_name: str | None = Field(None, max_length=_LONGEST_ID)
    language: str | None = Field(None, max_length=32)
    chunk_metadata: ChunkMetadata = ChunkMetadata()


class OldAnswer(BaseModel):
    """What `transcribe` answers."""

    text: str
    segments: list[dict[str, Any]]
    language: str
    confidence: float
    processing_time: float
    model_used: str
    device_used: str
    timestamp: datetime
    session_id: str | None


@router.post(TRANSCRIBE, summary="Transcribe, as the old service did", deprecated=True, responses=AUDIO_ERRORS)
async def transcribe(request: Request, services: Loaded, metered: Admitted) -> Response:
    """Send a recording as the field `audio` of a form; call `POST /api/v1/transcriptions` instead."""
    upload = await read_upload(request, file_field="audio")
    with closing(upload.file):
        asked = parse_fields(OldForm, upload.fields)
        options = _options(asked.language, asked.model, services, guard=asked.enable_vad)

        def answer(transcript: Transcript, seconds: float) -> dict[str, Any]:
            return _answer(transcript, services, seconds, asked.session_id).model_dump(mode="json")

        return await answer_whole(request, services, upload, options, metered, _renderer(answer))


@router.post(
    PROCESS_CHUNK, summary="Transcribe a chunk, as the old service did", deprecated=True, responses=AUDIO_ERRORS
)
async def process_chunk(chunk: Chunk, request: Request, services: Loaded, metered: Admitted) -> Response:
    """Send a recording in JSON; call `POST /api/v1/transcriptions` instead, or stream."""
    options = _options(chunk.language, chunk.model_name, services, guard=chunk.chunk_metadata.enable_vad)
    sound = await asyncio.to_thread(_decoded, chunk.audio_data)

    def answer(transcript: Transcript, seconds: float) -> dict[str, Any]:
        return _chunk_answer(chunk, _answer(transcript, services, seconds, chunk.session_id))

    again = Whole(await request.body(), request.headers["content-type"])
    upload = Upload(io.BytesIO(sound), {}, again)
    return await answer_whole(request, services, upload, options, metered, _renderer(answer))


def _renderer(answer: Callable[[Transcript, float], dict[str, Any]]) -> Callable[[Transcript], Response]:
    began = time.monotonic()
    return lambda transcript: JSONResponse(answer(transcript, time.monotonic() - began))


def _options(language: str | None, model: str | None, services: Services, *, guard: bool) -> TranscriptionOptions:
    if model is not None:
        check_model(model, services)
    code = None if language in {None, "auto"} else language_code(str(language))
    return TranscriptionOptions(language=code, guard=guard)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest("audio_data is not base64.", param="audio_data") from None


def _answer(transcript: Transcript, services: Services, seconds: float, session_id: str | None) -> OldAnswer:
    return OldAnswer(
        text=transcript.text,
        segments=[
            {"id": each.id, "start": round(each.start, 3), "end": round(each.end, 3), "text": each.text.strip()}
            for each in transcript.segments
        ],
        language=transcript.language,
        confidence=_confidence(transcript),
        processing_time=round(seconds, 3),
        model_used=services.model_name,
        device_used=services.scheduler.capabilities.device,
        timestamp=datetime.now(UTC),
        session_id=session_id,
    )


def _chunk_answer(chunk: Chunk, answer: OldAnswer) -> dict[str, Any]:
    found = answer.model_dump(mode="json")
    metadata = chunk.chunk_metadata
    return {
        "chunk_id": chunk.chunk_id,
        "session_id": chunk.session_id,
        "status": "success",
        "transcription": {
            "text": found["text"],
            "language": found["language"],
            "confidence_score": found["confidence"],
            "segments": found["segments"],
            "timestamp": found["timestamp"],
        },
        "processing_info": {name: found[name] for name in ("model_used", "device_used", "processing_time")},
        "chunk_sequence": metadata.sequence_number,
        "chunk_timing": metadata.model_dump(include={"start_time", "end_time", "duration"}),
    }


def _confidence(transcript: Transcript) -> float:
    """The mean probability of a token, from 0 to 1; 0 where nothing was said."""
    if not transcript.segments:
        return 0.0
    mean = sum(segment.avg_logprob for segment in transcript.segments) / len(transcript.segments)
    return round(min(1.0, math.exp(mean)), 4)
