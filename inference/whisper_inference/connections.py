"""Connections of clients: how many there may be, and how long one may keep the server waiting for its words.

uvicorn itself waits for ever for a request that has begun, or never does: who opens connections and sends a byte now
and then would hold all of them (CWE-400, "slow loris").
"""

import asyncio
import json
import logging
import resource
from dataclasses import dataclass
from typing import Any, Final

import h11
from typing_extensions import override
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from whisper_inference.error_responses import error_body
from whisper_inference.errors import TooManyConnections

logger = logging.getLogger(__name__)

_OTHER_FILES: Final = 512
"""Files of a server that are no clients: uploads on disk, Redis, other replicas, the model."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What a connection may do."""

    most: int
    """Open at once."""
    head_seconds: float = 20.0
    """From a connection, or the first byte of its next request, to the last line of the request's head."""
    pause_seconds: float = 60.0
    """Between two pieces of a body."""
    heartbeat_seconds: float = 20.0
    """Between two pings of a WebSocket, and until a client that is silent must have answered one."""
    kept_seconds: int = 75
    """From an answer to the end of a connection on which nothing more is asked. Proxies keep theirs for 60 s, most of
    them: if the server closed first, it might be just when they send the next request."""


class ClientConnection(H11Protocol):
    """One connection; more than there may be are told so and closed."""

    def __init__(self, limits: ConnectionLimits, **given: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(**given)
        self._limits = limits
        self._deadline: asyncio.TimerHandle | None = None
        self._for_head = False
        """The deadline is that of a request's head, which no piece of it puts off."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Begin, if there is room."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.most:
            logger.warning("A connection was refused: %d are open", self._limits.most)
            transport.write(_refusal())
            transport.close()
            return
        self._watch()

    @override
    def data_received(self, data: bytes) -> None:
        """Take in what came, and wait for the rest."""
        super().data_received(data)
        self._watch()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def end_if_idle(self) -> None:
        """Close it if its client has had its answer, and has not begun to ask again."""
        # uvicorn waits for the next request from an answer on, and no longer once something came.
        if self.timeout_keep_alive_task is not None and not self.transport.is_closing():
            self.shutdown()

    def _watch(self) -> None:
        state = self.conn.their_state
        if self.transport.is_closing() or self.transport.get_protocol() is not self:  # a WebSocket has its own
            self._stop_waiting()
        elif state is h11.IDLE:
            if not self._for_head:
                self._wait(self._limits.head_seconds, for_head=True)
        elif state is h11.SEND_BODY:
            self._wait(self._limits.pause_seconds, for_head=False)
        else:
            self._stop_waiting()

    def _wait(self, seconds: float, *, for_head: bool) -> None:
        self._stop_waiting()
        self._for_head, self._deadline = for_head, self.loop.call_later(seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._for_head, self._deadline = False, None

    def _give_up(self) -> None:
        if not self._for_head and self.flow.read_paused:
            self._wait(self._limits.pause_seconds, for_head=False)  # it is the server that does not read
            return
        self._stop_waiting()
        self.transport.close()


class ClientWebSocket(WebSocketsSansIOProtocol):
    """One WebSocket: a client that vanishes without a word is missed at the next heartbeat.

    uvicorn alone takes a client for dead whose answer to a ping stands in line behind the sound that it sent, while the
    server reads no more until it has caught up. Whatever comes is a sign of life, and unread there may be more.
    """

    _heard_at = 0.0

    @override
    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        self._heard_at = self.loop.time()
        super().data_received(data)

    @override
    def keepalive_timeout(self) -> None:
        """Close the connection, if nothing came since the ping."""
        if self.read_paused or self._heard_at > self.ping_sent_at:
            self.pong_timer = self.pending_ping_payload = None
            self.schedule_ping()
        else:
            super().keepalive_timeout()

    @override
    async def send(self, message: ASGISendEvent) -> None:
        """Send; a refusal with an answer completes the handshake, too: uvicorn complains of each (its issue 3138)."""
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True


def allow_open_files(connections: int) -> None:
    """Let this process have so many connections open; a limit that nobody but root may raise is said."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    logger.warning("%d connections need %d open files, and this process may have %d", connections, wanted, hard)


def _refusal() -> bytes:
    error = TooManyConnections("Too many connections are open: try again in a moment.")
    body = json.dumps(error_body(error)).encode()
    head = (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
