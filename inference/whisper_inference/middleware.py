"""What surrounds every request: a correlation id, a span, the metrics, and the limit on its body."""

import re
import time
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from opentelemetry.propagate import extract
from opentelemetry.trace import SpanKind, Tracer
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from whisper_contract.surface import CORRELATION_HEADER
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
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(CORRELATION_HEADER, "")
        identity = given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex
        began, answer = time.perf_counter(), _Answer()
        bind_correlation_id(identity)

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                MutableHeaders(scope=message)[CORRELATION_HEADER] = identity
            await send(message)

        span = self._tracer.start_as_current_span("request", context=extract(dict(headers)), kind=SpanKind.SERVER)
        try:
            with span as current:
                await self._app(scope, receive, send_named)
                current.set_attributes({"http.route": _route(scope), "http.response.status_code": answer.status})
        finally:
            self._metrics.request_finished(_route(scope), answer.status, time.perf_counter() - began)


class UploadLimit:
    """Stops reading a body that is larger than allowed, before anything keeps it."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app, self._max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count what it sends."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = 0
        declared = Headers(scope=scope).get("content-length", "")

        async def receive_counted() -> Message:
            nonlocal received
            if declared.isdecimal() and int(declared) > self._max_bytes:
                raise self._too_large()
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise self._too_large()
            return message

        await self._app(scope, receive_counted, send)

    def _too_large(self) -> UploadTooLarge:
        return UploadTooLarge(
            f"The upload is larger than this server takes ({self._max_bytes} bytes): compress or split the audio.",
            param="file",
        )


def _route(scope: Scope) -> str:
    """Return the path's template: paths that clients make up must not become labels."""
    return getattr(scope.get("route"), "path", _UNKNOWN_ROUTE)
