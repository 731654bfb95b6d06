"""What every WebSocket for live speech shares: whose pages may open one, how it is closed, what its sound costs."""

import time
from http import HTTPStatus
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from fastapi import WebSocket, WebSocketDisconnect

from whisper_inference.audit.recording import Act
from whisper_inference.dependencies import ServerState
from whisper_inference.error_responses import status_of
from whisper_inference.errors import Forbidden, WhisperError
from whisper_inference.streaming.connection import StreamLimits, Surroundings
from whisper_inference.streaming.peer import PeerGone
from whisper_inference.transcriber.metering import Metering
from whisper_inference.transcription import Seconds

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
_POLICY, _INTERNAL, _LATER = 1008, 1011, 1013
_CLOSE_CODES: Final = MappingProxyType(
    {
        HTTPStatus.TOO_MANY_REQUESTS: _LATER,
        HTTPStatus.SERVICE_UNAVAILABLE: _LATER,
        HTTPStatus.INTERNAL_SERVER_ERROR: _INTERNAL,
    }
)
"""RFC 6455 section 7.4.1; what the client did wrong is a policy violation."""


class Socket:
    """A WebSocket that was accepted."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def receive(self) -> bytes | str:
        """Return the next frame.

        Raises:
            PeerGone: There will be none.
        """
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise PeerGone
        data = message.get("bytes")
        return data if data is not None else str(message["text"])

    async def send(self, text: str) -> None:
        """Send a text; returns when it is on its way.

        Raises:
            PeerGone: Nobody takes it.
        """
        try:
            await self._websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError) as problem:  # the latter once it is closed
            raise PeerGone from problem

    async def close(self, code: int, reason: str) -> None:
        """Close it; nobody minds where that has happened already."""
        try:
            await self._websocket.close(code, reason)
        except (WebSocketDisconnect, RuntimeError):
            return


def check_origin(websocket: WebSocket, state: ServerState) -> None:
    """A page of another origin has no business here unless the settings name it; programs send no origin.

    Raises:
        Forbidden: It is such a page.
    """
    origin = websocket.headers.get("origin")
    own = origin is None or urlsplit(origin).netloc == websocket.headers.get("host")
    if not own and origin not in state.allowed_origins:
        raise Forbidden("Pages of this origin may not call the server: name it in WHISPER_CORS_ORIGINS.")


def close_code(problem: WhisperError) -> int:
    """Return the code that a connection is closed with when it met an error."""
    return _CLOSE_CODES.get(status_of(problem), _POLICY)


def surroundings(state: ServerState, limits: StreamLimits, metered: Metering, act: Act) -> Surroundings:
    """Return what a stream must know of the server: its sound is counted, charged and written down."""

    async def charge(seconds: Seconds) -> None:
        async with metered(seconds):
            state.metrics.stream_heard(seconds)
            act.note(audio_seconds=round((act.details.audio_seconds or 0) + seconds, 3))

    return Surroundings(
        time.monotonic, lambda: not state.readiness.takes_requests, charge, state.metrics.guard_dropped, limits
    )
