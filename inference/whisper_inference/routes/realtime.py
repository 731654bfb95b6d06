"""OpenAI's Realtime transcription over a WebSocket: who may open a conversation. `realtime/` speaks its events.

A refused handshake is told with a status to who sent `Authorization`; the connection of a browser, which offers its
secret as a subprotocol and sees no status, is accepted, told in an event, and closed.
"""

import json
import secrets
import time
from contextlib import suppress
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketState

from whisper_contract.surface import REALTIME_PATH
from whisper_inference.audit.events import Action
from whisper_inference.audit.recording import Act
from whisper_inference.auditing import request_audit, write_down_refusal
from whisper_inference.composition import Services
from whisper_inference.dependencies import Requires, ServerState, server_state, services_of
from whisper_inference.error_responses import error_body, error_response
from whisper_inference.errors import InvalidRequest, SessionExpired, ShuttingDown, UnsupportedField, WhisperError
from whisper_inference.quotas.store import LeaseClass
from whisper_inference.realtime.call import Call, Understanding
from whisper_inference.realtime.sessions import Session, SessionIdentity
from whisper_inference.realtime.understanding import asked_by, with_model
from whisper_inference.routes.audio import check_model
from whisper_inference.routes.live import GOING_AWAY, NORMAL, Socket, check_origin, close_code, surroundings
from whisper_inference.security.client_secrets import Shown
from whisper_inference.security.roles import Principal, Role
from whisper_inference.streaming.connection import StreamLimits
from whisper_inference.streaming.peer import PeerGone
from whisper_inference.streaming.protocol import EndReason
from whisper_inference.streaming.service import Asked, Connects
from whisper_inference.transcriber.metering import Metering

router = APIRouter()

REQUIRES: Final = Requires(Role.TRANSCRIBER)

_PROTOCOL: Final = "realtime"
_OLD_PROTOCOL: Final = "openai-beta.realtime-v1"
_OLD_HEADER: Final = "realtime=v1"
_SECRET_PROTOCOL: Final = "openai-insecure-api-key."  # noqa: S105 - what a secret comes after
"""A browser offers its secret as a subprotocol of this name; it is never echoed."""


class _Caller(NamedTuple):
    """Who may talk, and how."""

    principal: Principal
    session: Session
    old: bool
    """In the older form."""


@router.websocket(REALTIME_PATH)
async def realtime(websocket: WebSocket) -> None:
    """Turn what is said in a conversation into text."""
    state = server_state(websocket)
    try:
        caller = await _let_in(websocket, state)
        services = services_of(state)
        with request_audit(websocket).watching(Action.STREAM) as act:
            async with state.meter.admit(caller.principal.consumer, LeaseClass.STREAMS) as metered:
                with services.streams.place() as connect, state.metrics.stream_open():
                    await websocket.accept(_PROTOCOL if _PROTOCOL in websocket["subprotocols"] else None)
                    await _talk(Socket(websocket), caller, _Order(services, connect, metered, act), state)
    except WhisperError as problem:
        write_down_refusal(websocket, problem)
        await _refuse(websocket, problem)


async def _let_in(websocket: WebSocket, state: ServerState) -> _Caller:
    check_origin(websocket, state)
    model = _model_in_query(websocket)
    shown = Shown(state.client_secrets)
    principal = await REQUIRES.admit(websocket, state, _credential(websocket), shown.identify)
    services = services_of(state)
    session = Session() if shown.wishes is None else Session.model_validate_json(shown.wishes)
    if model is not None:
        check_model(model, services)
    session = with_model(session, model or session.input.transcription.model or services.model_name)
    old = _OLD_PROTOCOL in websocket["subprotocols"] or websocket.headers.get("openai-beta") == _OLD_HEADER
    return _Caller(principal, session, old)


class _Order(NamedTuple):
    """What a conversation is served with."""

    services: Services
    connect: Connects
    metered: Metering
    act: Act


async def _talk(socket: Socket, caller: _Caller, order: _Order, state: ServerState) -> None:
    services = order.services
    order.act.note(model=services.model_name)
    limits = services.streams.limits
    identity = SessionIdentity(id=new_id("sess"), expires_at=int(time.time() + limits.longest))
    understanding = Understanding(lambda session: ask(session, services), new_id, _describe)
    call = Call(socket, caller.session, identity, understanding, old=caller.old, patience=limits.send)
    with suppress(PeerGone):  # it is how a client of this protocol ends it
        try:
            reason = await call.run(order.connect, surroundings(state, limits, order.metered, order.act))
        except WhisperError as problem:
            await call.fail(problem)
            raise
        await call.fail(_ending(reason, limits))
        await socket.close(GOING_AWAY if reason == "drain" else NORMAL, reason)


def ask(session: Session, services: Services) -> Asked:
    """Translate what a session wants of the loaded model.

    Raises:
        ModelNotFound: It wants another.
        InvalidRequest: A wish means nothing.
        UnsupportedField: The model or its device cannot do it.
    """
    if session.input.transcription.model is not None:
        check_model(session.input.transcription.model, services)
    asked = asked_by(session)
    services.streams.check(asked.options)
    return asked


def new_id(kind: str) -> str:
    """Make an id of something of that kind."""
    return f"{kind}_{secrets.token_hex(12)}"


def _describe(problem: WhisperError) -> dict[str, Any]:
    error: dict[str, Any] = error_body(problem)["error"]
    return error


def _ending(reason: EndReason, limits: StreamLimits) -> WhisperError:
    if reason == "drain":
        return ShuttingDown("The server stops: connect again, to another one.")
    if reason == "idle":
        return SessionExpired(f"Nothing came for {limits.idle:.0f} s: connect again to go on.")
    return SessionExpired(f"A session lasts {limits.longest:.0f} s at most: connect again to go on.")


def _model_in_query(websocket: WebSocket) -> str | None:
    given = dict(parse_qsl(websocket.url.query, keep_blank_values=True))
    intent, model = given.pop("intent", "transcription"), given.pop("model", None)
    if given:
        name = next(iter(given))[:64]
        raise InvalidRequest(f"The address takes intent and model; {name!r} is neither.", param=name)
    if intent != "transcription":
        raise UnsupportedField("This server transcribes: write intent=transcription.", param="intent")
    return model


def _credential(websocket: WebSocket) -> str | None:
    offered: list[str] = websocket["subprotocols"]
    if offered and _PROTOCOL not in offered:
        raise InvalidRequest(f"This address speaks the subprotocol {_PROTOCOL}: offer it.")
    secret = next((each.removeprefix(_SECRET_PROTOCOL) for each in offered if each.startswith(_SECRET_PROTOCOL)), None)
    given = websocket.headers.get("authorization")
    return f"Bearer {secret}" if given is None and secret is not None else given


async def _refuse(websocket: WebSocket, problem: WhisperError) -> None:
    socket = Socket(websocket)
    if websocket.application_state is WebSocketState.CONNECTING:
        if websocket.headers.get("authorization") is not None or _PROTOCOL not in websocket["subprotocols"]:
            await websocket.send_denial_response(error_response(problem))
            return
        await websocket.accept(_PROTOCOL)
        with suppress(PeerGone):
            await socket.send(json.dumps({"type": "error", "event_id": new_id("event")} | error_body(problem)))
    await socket.close(close_code(problem), problem.code)
