"""What surrounds every request: a correlation id, a span, metrics, the limit on its body, the end of its connection."""

import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from opentelemetry.propagate import extract
from opentelemetry.trace import SpanKind, Tracer
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from whisper_contract.surface import CORRELATION_HEADER
from whisper_inference.error_responses import error_response
from whisper_inference.errors import UploadTooLarge
from whisper_inference.observability.logs import bind_correlation_id
from whisper_inference.observability.metrics import Metrics

_SANE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_UNKNOWN_ROUTE: Final = "unmatched"


@dataclass(slots=True)
class _Answer:
    status: int = HTTPStatus.INTERNAL_SERVER_ERROR


class RequestContext:
    """Names, traces and measures each HTTP request."""

    def __init__(self, app: ASGIApp, metrics: Metrics, tracer: Tracer) -> None:
        self._app, self._metrics, self._tracer = app, metrics, tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(CORRELATION_HEADER, "")
        identity = given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex
        began, answer = time.perf_counter(), _Answer()
        bind_correlation_id(identity)

        async def send_named(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                answer.status = message["status"]
                MutableHeaders(scope=message).update(scope.get("state", {}).get("headers", {}))
                MutableHeaders(scope=message)[CORRELATION_HEADER] = identity
            await send(message)

        if scope["type"] == "websocket":  # its length says nothing of the server
            await self._app(scope, receive, send_named)
            return
        span = self._tracer.start_as_current_span("request", context=extract(dict(headers)), kind=SpanKind.SERVER)
        try:
            with span as current:
                await self._app(scope, receive, send_named)
                current.set_attributes({"http.route": _route(scope), "http.response.status_code": answer.status})
        finally:
            self._metrics.request_finished(_route(scope), answer.status, time.perf_counter() - began)


class LastAnswers:
    """Ends each connection with its next answer once the server was asked to stop.

    A client that keeps its connection would send its next request here, too, and be refused: now it asks for another
    connection, and is given one to a server that stays.
    """

    def __init__(self, app: ASGIApp, ending: Callable[[], bool]) -> None:
        self._app, self._ending = app, ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def send_last(message: Message) -> None:
            if message["type"] == "http.response.start" and self._ending():
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, send_last)


class BodyLimit:
    """Stops reading a body that is larger than its path allows, before anything keeps it."""

    def __init__(self, app: ASGIApp, max_bytes: int, max_bytes_at: Mapping[str, int]) -> None:
        self._app, self._max_bytes, self._max_bytes_at = app, max_bytes, max_bytes_at

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count what it sends."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received, refused = 0, False
        most = self._max_bytes_at.get(scope["path"], self._max_bytes)
        declared = Headers(scope=scope).get("content-length", "")

        async def receive_counted() -> Message:
            nonlocal received, refused
            if not (declared.isdecimal() and int(declared) > most):
                message = await receive()
                received += len(message.get("body", b""))
                if received <= most:
                    return message
            refused = True
            raise _too_large(most)

        async def send_unless_refused(message: Message) -> None:
            if not refused:
                await send(message)

        # FastAPI answers 400 to whatever happens while it reads a body: so the answer is given here.
        await self._app(scope, receive_counted, send_unless_refused)
        if refused:
            await error_response(_too_large(most))(scope, receive, send)


def _too_large(most: int) -> UploadTooLarge:
    return UploadTooLarge(
        f"The request is larger than this server takes ({most} bytes): compress or split the audio.", param="file"
    )


def _route(scope: Scope) -> str:
    """Return the path's template: paths that clients make up must not become labels."""
    return getattr(scope.get("route"), "path", _UNKNOWN_ROUTE)
