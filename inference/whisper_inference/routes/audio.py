"""The engine room of every route that takes audio: from an upload to a transcript, for OpenAI's routes and for ours."""

from asyncio import CancelledError
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

from fastapi import Request, Response

from whisper_contract.surface import DEVICE_HEADER
from whisper_inference.audit.recording import RequestAudit
from whisper_inference.auditing import request_audit
from whisper_inference.composition import Services
from whisper_inference.errors import ModelNotFound, WhisperError
from whisper_inference.formats import Rendered
from whisper_inference.routes.handover import here_or_elsewhere
from whisper_inference.routes.uploads import Upload, unless_client_leaves
from whisper_inference.transcriber.metering import Metering
from whisper_inference.transcription import Segment, Transcript, TranscriptionOptions

ALIAS: Final = "whisper-1"
"""OpenAI's name for its hosted model: whatever is loaded answers to it."""


async def answer_whole(
    request: Request,
    services: Services,
    upload: Upload,
    options: TranscriptionOptions,
    metered: Metering,
    render: Callable[[Transcript], Response],
) -> Response:
    """Transcribe an upload to its end and answer; a client that leaves takes its work with it.

    Raises:
        WhisperError: The options or the audio are refused, the server is full or drains, or the engine failed.
    """

    async def here() -> Response:
        work = services.transcriber.transcribe(upload.file, options, metered)
        transcript = await unless_client_leaves(request, work)
        note_transcript(request_audit(request), services, transcript)
        response = render(transcript)
        response.headers.update(device_header(services))
        return response

    return await here_or_elsewhere(request, upload, here())


async def noted(
    request: Request, services: Services, items: AsyncGenerator[Segment | Transcript, None]
) -> AsyncGenerator[Segment | Transcript, None]:
    """Pass on what a stream brings, and note for the audit how it ended."""
    audit = request_audit(request)
    async with aclosing(items):
        try:
            async for item in items:
                if isinstance(item, Transcript):
                    note_transcript(audit, services, item)
                yield item
        except WhisperError as problem:
            audit.failed(problem.code)
            raise
        except (GeneratorExit, CancelledError):
            audit.abandoned()
            raise


def note_transcript(audit: RequestAudit, services: Services, transcript: Transcript) -> None:
    """Note for the audit what was transcribed: how much, and by what."""
    audit.note(model=services.model_name, audio_seconds=round(transcript.duration, 3))


def device_header(services: Services) -> dict[str, str]:
    """Return the header that tells where an answer was computed."""
    return {DEVICE_HEADER: services.scheduler.capabilities.device}


def respond(rendered: Rendered) -> Response:
    """Answer with a transcript in one of OpenAI's formats."""
    return Response(rendered.body, media_type=rendered.media_type)


def check_model(name: str, services: Services) -> None:
    """Let the loaded model's name pass, and OpenAI's alias for it.

    Raises:
        ModelNotFound: It is another.
    """
    if name not in {services.model_name, ALIAS}:
        raise ModelNotFound(
            f"The model {name[:128]!r} is not loaded here; ask for {services.model_name!r} or {ALIAS!r}.", param="model"
        )
