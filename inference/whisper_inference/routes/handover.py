"""Handing a request to another replica, as HTTP: what goes with it, and its answer, unchanged."""

import json
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import aclosing, closing
from http import HTTPStatus
from typing import Final

import httpx
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from opentelemetry.propagate import inject

from whisper_contract.surface import CORRELATION_HEADER, DEVICE_HEADER, HANDOFF_HEADER
from whisper_inference.auditing import request_audit
from whisper_inference.dependencies import server_state
from whisper_inference.error_responses import CLIENT_CLOSED_REQUEST, error_body
from whisper_inference.errors import EngineFailed, Overloaded
from whisper_inference.observability.logs import correlation_id
from whisper_inference.replicas.handover import Letter
from whisper_inference.routes.uploads import ClientGone, Upload, unless_client_leaves

logger = logging.getLogger(__name__)

_KEPT: Final = ("content-type", "cache-control", "retry-after", DEVICE_HEADER)
"""Of the peer's headers; the others this server adds itself."""
_EVENT_END: Final = b"\n\n"


async def here_or_elsewhere(request: Request, upload: Upload, work: Awaitable[Response]) -> Response:
    """Return what the work answers; if it finds no room, what another replica does, which may not hand the request on.

    Args:
        request: What is answered.
        upload: What came with it; its file is closed if it went elsewhere.
        work: May raise `ClientGone`.

    Raises:
        WhisperError: What the work raises; `Overloaded` if nobody has room.
    """
    try:
        try:
            return await work
        except Overloaded as full:
            with closing(upload.file):
                return await _elsewhere(request, upload, full)
    except ClientGone:
        return Response(status_code=CLIENT_CLOSED_REQUEST)


async def _elsewhere(request: Request, upload: Upload, full: Overloaded) -> Response:
    handover = server_state(request).handover
    if handover is None or HANDOFF_HEADER in request.headers:
        raise full
    headers = {CORRELATION_HEADER: correlation_id() or ""}
    inject(headers)
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    letter = Letter(target, request.headers.get("authorization", ""), headers, upload.again, full.audio_seconds)
    answer = await unless_client_leaves(request, handover.offer(letter))
    if answer is None:
        raise full
    request_audit(request).handed_over()
    return _passed_on(answer)


def _passed_on(answer: httpx.Response) -> Response:
    headers = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
    if answer.is_closed:
        return Response(answer.content, answer.status_code, headers)
    return StreamingResponse(_events(answer), HTTPStatus.OK, headers)


async def _events(answer: httpx.Response) -> AsyncIterator[bytes]:
    """Pass whole events on; a peer that dies in the middle of one ends the stream as a failure of our own would."""
    waiting = b""
    try:
        async with aclosing(answer):
            async for chunk in answer.aiter_raw():
                waiting += chunk
                end = waiting.rfind(_EVENT_END) + len(_EVENT_END)
                if end >= len(_EVENT_END):
                    yield waiting[:end]
                    waiting = waiting[end:]
    except httpx.TransportError as problem:
        logger.warning("A replica ended before its answer did: %s", type(problem).__name__)
        body = error_body(EngineFailed("The server that computed the answer has ended; send the request again."))
        yield f"data: {json.dumps({'type': 'error'} | body)}\n\n".encode()
