"""A client of live streams: sound in, typed messages out. docs/streaming.md describes what goes over the wire.

It goes on by itself when a connection is lost or a server is replaced: it keeps what it said for a while, and says
again what the next server asks for.
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from whisper_contract.surface import RESUME_HEADER, STREAM_PATH
from whisper_inference.errors import InvalidRequest, StreamRefused
from whisper_inference.streaming.protocol import PROTOCOL, Closed, FinalSegment, Ready, ServerMessage
from whisper_inference.streaming.said import Said

_SERVER_MESSAGE: Final[TypeAdapter[ServerMessage]] = TypeAdapter(ServerMessage)
_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 5.0
_OTHERS_SECONDS: Final = 10.0
"""How long a stream that has not begun looks for the server that has room."""
_LATER: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses of servers, and of proxies in front of them, that are replaced or full."""


class StreamClient:
    """Speaks to one server, or to whichever replica is behind its address.

    Args:
        url: The server's, for example `http://127.0.0.1:8000`.
        token: An API key or a session's token.
    """

    def __init__(self, url: str, token: str | None) -> None:
        scheme, separator, rest = url.rstrip("/").partition("://")
        if not separator or scheme not in {"http", "https", "ws", "wss"}:
            raise InvalidRequest(f"{url!r} is no address of a server: write http://HOST:PORT.")
        self._address = f"{scheme.replace('http', 'ws')}://{rest}{STREAM_PATH}"
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    async def transcribe(self, sound: AsyncIterable[bytes], **start: Any) -> AsyncIterator[ServerMessage]:  # noqa: ANN401 - fields of the message `start`
        """Say the sound, and yield what the server tells until it closes.

        Raises:
            StreamRefused: The server cannot be reached, refuses, or ends the stream with an error; for a stream that
                had begun, nobody went on with it in time; or the sound broke off, once all of it is told.
        """
        said = Said(sound)
        first: dict[str, Any] = {"type": "start", **start}
        progress = _Progress()
        try:
            while not progress.over:
                try:
                    async for message in self._connection(first, said):
                        progress.take(message)
                        if progress.is_news(message):
                            yield message
                except StreamRefused as problem:
                    await progress.wait_after(problem)
                if progress.resume_token is not None:
                    first = {"type": "resume", "resume_token": progress.resume_token, "finals": progress.finals}
            if said.broken is not None:
                raise said.broken
        finally:
            await said.close()

    async def _connection(self, first: dict[str, Any], said: Said) -> AsyncIterator[ServerMessage]:
        try:
            async with connect(
                self._address,
                subprotocols=[PROTOCOL],  # type: ignore[list-item] # a NewType of the library's
                additional_headers=self._headers | ({RESUME_HEADER: "1"} if first["type"] == "resume" else {}),
            ) as connection:
                await connection.send(json.dumps(first))
                async for message in _exchange(connection, said):
                    yield message
        except InvalidStatus as problem:
            raise _refused(problem) from problem
        except (OSError, WebSocketException) as problem:
            raise StreamRefused(f"{self._address} cannot be reached: {problem}", later=True) from problem


class _Progress:
    """How far a stream has come, over all its connections."""

    def __init__(self) -> None:
        self.over = False
        self.resume_token: str | None = None
        self.finals = 0
        self._resume_seconds = _OTHERS_SECONDS
        self._lost_since: float | None = None
        self._pause = _FIRST_PAUSE_SECONDS
        self._readies = 0

    def take(self, message: ServerMessage) -> None:
        """Take in a message."""
        self._lost_since, self._pause = None, _FIRST_PAUSE_SECONDS
        match message:
            case Ready():
                self.resume_token, self._resume_seconds = message.resume_token, message.limits.resume_seconds
                self._readies += 1
            case FinalSegment():
                self.finals = max(self.finals, message.id + 1)
            case Closed():
                self.over = message.reason != "drain"
            case _:
                pass

    def is_news(self, message: ServerMessage) -> bool:
        """Say whether whoever listens should hear of a message: they know one stream, not its connections."""
        if isinstance(message, Ready):
            return self._readies == 1
        return self.over or not isinstance(message, Closed)

    async def wait_after(self, problem: StreamRefused) -> None:
        """Wait before the next try, each time for longer.

        Raises:
            StreamRefused: There is nothing to wait for.
        """
        now = time.monotonic()
        self._lost_since = self._lost_since or now
        worth_it = problem.elsewhere if self.resume_token is None else problem.later
        if not worth_it or now - self._lost_since > self._resume_seconds:
            raise problem
        await asyncio.sleep(random.uniform(self._pause / 2, self._pause))  # noqa: S311 - no secret
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)


async def _exchange(connection: ClientConnection, said: Said) -> AsyncIterator[ServerMessage]:
    speaking: asyncio.Task[None] | None = None
    try:
        async for received in connection:
            message = _understand(received)
            if isinstance(message, Ready) and speaking is None:
                said.check(message.from_byte)  # told at once, not when the server has waited long enough
                speaking = asyncio.create_task(_speak(connection, said, message.from_byte))
            if message is not None:
                yield message
    finally:
        if speaking is not None:
            speaking.cancel()
            with suppress(asyncio.CancelledError):
                await speaking


async def _speak(connection: ClientConnection, said: Said, from_byte: int) -> None:
    with suppress(ConnectionClosed):  # whoever reads it says why
        async for frame in said.frames(from_byte):
            await connection.send(frame)
        await connection.send(json.dumps({"type": "finish"}))


def _understand(received: str | bytes) -> ServerMessage | None:
    """Return a message; `None` for one that later servers send."""
    body = json.loads(received)
    if body.get("type") == "error":
        raise _refusal(body["error"])
    try:
        return _SERVER_MESSAGE.validate_python(body)
    except ValidationError:
        return None


def _refused(problem: InvalidStatus) -> StreamRefused:
    status = problem.response.status_code
    try:
        refusal = _refusal(json.loads(problem.response.body or b"")["error"])
    except (ValueError, KeyError, TypeError):  # a proxy's own words
        refusal = StreamRefused(f"The server refuses the stream with the status {status}.")
    refusal.later = status in _LATER
    return refusal


def _refusal(error: Mapping[str, Any]) -> StreamRefused:
    retry_after = error["retry_after"]
    return StreamRefused(str(error["message"]), later=retry_after is not None, elsewhere=retry_after == 0)
