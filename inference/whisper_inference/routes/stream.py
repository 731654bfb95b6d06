"""Live speech over a WebSocket (RFC 6455): who may open one, and how its errors reach a client that sees no status.

Who sends `Authorization` is refused with an HTTP answer. A browser can send none and sees no refused handshake: its
connection is accepted, gets the error object, and is closed with a code that says what kind of error it was.
"""

import asyncio
import json
from contextlib import suppress
from typing import Any, Final, NamedTuple

from fastapi import APIRouter, WebSocket
from pydantic import BaseModel
from typing_extensions import override

from whisper_contract.surface import RESUME_HEADER, STREAM_PATH
from whisper_inference.audit.events import Action
from whisper_inference.audit.recording import Act
from whisper_inference.auditing import request_audit, write_down_refusal
from whisper_inference.dependencies import Requires, ServerState, server_state, services_of
from whisper_inference.error_responses import error_body, error_response
from whisper_inference.errors import InvalidRequest, WhisperError
from whisper_inference.quotas.store import LeaseClass
from whisper_inference.routes.live import GOING_AWAY, NORMAL, Socket, check_origin, close_code, surroundings
from whisper_inference.security.roles import Role
from whisper_inference.streaming.desk import Opening
from whisper_inference.streaming.peer import News, Peer, PeerGone, Stop
from whisper_inference.streaming.protocol import (
    PROTOCOL,
    Finish,
    Limits,
    Ready,
    Resume,
    Start,
    message_of,
    parse_message,
)
from whisper_inference.transcriber.metering import Metering

router = APIRouter()

REQUIRES: Final = Requires(Role.TRANSCRIBER)

_START_SECONDS: Final = 10.0
_TOKEN_PROTOCOL: Final = "whisper.token."  # noqa: S105 - what a token comes after
"""A browser may offer its token as a subprotocol of this name; it is never echoed."""


@router.websocket(STREAM_PATH)
async def stream(websocket: WebSocket) -> None:
    """Turn speech into text while it is spoken."""
    state = server_state(websocket)
    try:
        check_origin(websocket, state)
        _check_query(websocket)
        offered = _check_protocols(websocket)
        bearer = websocket.headers.get("authorization")
        principal = None if bearer is None else await REQUIRES.admit(websocket, state, bearer)
        if principal is not None:
            services_of(state).streams.places.check(resumes=RESUME_HEADER in websocket.headers)
            await state.meter.check(principal.consumer, LeaseClass.STREAMS)
    except WhisperError as problem:
        write_down_refusal(websocket, problem)
        await websocket.send_denial_response(error_response(problem))
        return
    await websocket.accept(PROTOCOL if PROTOCOL in websocket["subprotocols"] else None)
    socket = Socket(websocket)
    try:
        first = await _first_message(socket)
        if principal is None:
            principal = await REQUIRES.admit(websocket, state, _bearer(first, offered), state.stream_tokens.identify)
        with request_audit(websocket).watching(Action.STREAM, PeerGone) as act:
            async with state.meter.admit(principal.consumer, LeaseClass.STREAMS) as metered:
                if isinstance(first, Resume):
                    token, opening = await state.desk.resume(principal.name, first)
                else:
                    token, opening = state.desk.begin(principal.name, first)
                reason = await _serve(socket, _Order(token, opening, metered, act), state)
        await socket.close(GOING_AWAY if reason == "drain" else NORMAL, reason)
    except PeerGone:
        return
    except WhisperError as problem:
        write_down_refusal(websocket, problem)
        await _refuse(socket, problem)


class _Order(NamedTuple):
    """A stream that its client may have."""

    resume_token: str
    opening: Opening
    metered: Metering
    act: Act


async def _serve(socket: Socket, order: _Order, state: ServerState) -> str:
    services, start = services_of(state), order.opening.keeper.start
    order.act.note(model=services.model_name)
    streams, capabilities = services.streams, services.scheduler.capabilities
    server = surroundings(state, streams.limits, order.metered, order.act)
    peer = _StreamPeer(socket, words=start.word_timestamps)
    with streams.open(order.opening, peer, server) as connection, state.metrics.stream_open():
        limits = Limits(
            start_seconds=_START_SECONDS,
            idle_seconds=streams.limits.idle,
            longest_seconds=streams.limits.longest,
            largest_frame_bytes=streams.limits.largest_frame_bytes,
            resume_seconds=state.desk.window.total_seconds(),
        )
        ready = Ready(
            model=services.model_name,
            device=capabilities.device,
            languages=services.model.tokenizer.languages,
            limits=limits,
            resume_token=order.resume_token,
            from_sample=connection.decoder.origin.sample,
            from_byte=connection.decoder.origin.byte,
        )
        for message in (ready, *order.opening.missed):
            await socket.send(message.model_dump_json())
        closed = await connection.run()
    return closed.reason


class _StreamPeer(Peer):
    """A client that speaks `whisper.v1`."""

    def __init__(self, socket: Socket, *, words: bool) -> None:
        self._socket = socket
        self._words = words

    @override
    async def receive(self) -> bytes | Stop:
        received = await self._socket.receive()
        if isinstance(received, bytes):
            return received
        if not isinstance(parse_message(received), Finish):
            raise InvalidRequest("The stream has started already: send sound, or finish.", param="type")
        return Stop.FINISH

    @override
    async def send(self, news: News) -> None:
        message = news if isinstance(news, BaseModel) else message_of(news, words=self._words)
        if message is not None:
            await self._socket.send(message.model_dump_json())


async def _first_message(socket: Socket) -> Start | Resume:
    try:
        async with asyncio.timeout(_START_SECONDS):
            received = await socket.receive()
    except TimeoutError:
        raise InvalidRequest(f"Nothing came for {_START_SECONDS:.0f} s: begin with a message of type start.") from None
    message = parse_message(received) if isinstance(received, str) else None
    if not isinstance(message, Start | Resume):
        raise InvalidRequest("A stream begins with a message of type start or resume; sound comes after.", param="type")
    return message


def _bearer(first: Start | Resume, offered: str | None) -> str | None:
    token = offered if first.token is None else first.token.get_secret_value()
    return None if token is None else f"Bearer {token}"


def _check_protocols(websocket: WebSocket) -> str | None:
    """Return the token that is offered as a subprotocol, if one is."""
    offered = websocket["subprotocols"]
    tokens = [each.removeprefix(_TOKEN_PROTOCOL) for each in offered if each.startswith(_TOKEN_PROTOCOL)]
    if offered and PROTOCOL not in offered:
        raise InvalidRequest(f"This server speaks the subprotocol {PROTOCOL}: offer it.")
    return tokens[0] if tokens else None


def _check_query(websocket: WebSocket) -> None:
    if websocket.url.query:
        raise InvalidRequest("The address takes no query: logs keep those, and everything goes into the first message.")


async def _refuse(socket: Socket, problem: WhisperError) -> None:
    body: dict[str, Any] = {"type": "error"} | error_body(problem)
    with suppress(PeerGone):
        await socket.send(json.dumps(body))
        await socket.close(close_code(problem), problem.code)
