"""One conversation with a client of OpenAI's Realtime transcription: its events in, the session's out.

One session of live speech follows another: a commit or a clear ends one and begins the next, and an update begins one
that goes on with the sound and the text of the one before.
"""

import base64
import binascii
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Final, Literal, Protocol

from typing_extensions import override

from whisper_inference.errors import EngineFailed, InvalidRequest, WhisperError
from whisper_inference.realtime.client_events import (
    Append,
    Clear,
    ClientEvent,
    Commit,
    OldSessionUpdate,
    SessionUpdate,
    event_id_of,
    parse_event,
)
from whisper_inference.realtime.server_events import Cleared, Problem, ServerEvent, SessionTold
from whisper_inference.realtime.sessions import Session, SessionIdentity, Transcription, describe, describe_old
from whisper_inference.realtime.turns import Turns
from whisper_inference.streaming.connection import StreamConnection, Surroundings
from whisper_inference.streaming.frames import BYTES_PER_SAMPLE
from whisper_inference.streaming.peer import News, Patience, Peer, Stop
from whisper_inference.streaming.protocol import Closed, Drain, EndReason, Status
from whisper_inference.streaming.service import Asked, Connects, Kept
from whisper_inference.streaming.session import StreamSession
from whisper_inference.transcription import Seconds, Segment

_PIECE_BYTES: Final = 1 << 16
"""Sound is heard in pieces: an event may bring minutes of it."""
_TRANSCRIPTION: Final = "session.audio.input.transcription"
_OLD_TRANSCRIPTION: Final = "session.input_audio_transcription"


class Line(Protocol):
    """Whatever carries the events."""

    async def receive(self) -> bytes | str:
        """Return the next frame; raises `PeerGone`."""
        ...

    async def send(self, text: str) -> None:
        """Send a text; raises `PeerGone`."""
        ...


class Unkept:
    """Keeps nothing: this protocol has no way to go on with a session."""

    shared = False

    def said(self, finals: Sequence[Segment]) -> None:
        """Keep nothing."""

    async def save(self, session: StreamSession, *, whole: bool = False) -> None:
        """Keep nothing."""

    async def refresh(self, session: StreamSession) -> None:
        """Keep nothing."""

    async def forget(self) -> None:
        """Nothing was kept."""


@dataclass(frozen=True, slots=True)
class Understanding:
    """What a conversation must know of the server besides its streams."""

    ask: Callable[[Session], Asked]
    """Translates wishes; refuses what cannot be obeyed."""
    new_id: Callable[[str], str]
    """Makes ids, after what they are of."""
    describe_error: Callable[[WhisperError], dict[str, Any]]
    """Makes the one error object."""


class _Next(Enum):
    """What comes after the session of live speech that ends."""

    NOTHING = auto()
    ANOTHER = auto()
    """The client has ended a turn, or does not want what it said, and begins anew."""
    CHANGE = auto()
    """The same, otherwise set."""


class Call(Peer):
    """A conversation.

    Args:
        line: Carries its events.
        session: As it is set at first.
        identity: The session's.
        old: The client speaks the older form.
        understanding: How wishes and errors are understood.
        patience: How long a client may take for an event.
    """

    def __init__(
        self,
        line: Line,
        session: Session,
        identity: SessionIdentity,
        understanding: Understanding,
        *,
        old: bool,
        patience: Seconds,
    ) -> None:
        self._line = line
        self._session = session
        self._identity = identity
        self._understanding = understanding
        self._old = old
        self._patience = Patience(patience)
        self._asked = understanding.ask(session)
        self._turns = Turns(lambda: understanding.new_id("item"), old=old)
        self._set_turns()
        self._pieces: deque[bytes] = deque()
        self._appended: Seconds = 0.0
        """Sound that was handed on."""
        self._base: Seconds = 0.0
        """Where the current session's own time begins."""
        self._next = _Next.NOTHING

    async def run(self, connect: Connects, server: Surroundings) -> EndReason:
        """Talk until the client or the server has had enough; return why.

        Raises:
            PeerGone: The client went.
            WhisperError: The conversation cannot go on; the client may be told why.
        """
        await self._tell([self._told("created", old=self._old)])
        began, kept = server.clock(), Kept()
        while True:
            limits = replace(server.limits, longest=max(0.0, server.limits.longest - (server.clock() - began)))
            connection = connect(self, self._asked, replace(server, limits=limits), kept, Unkept())
            self._base = self._appended - connection.session.heard
            self._next = _Next.NOTHING
            self._turns.listen()
            kept, reason = await self._serve(connection)
            if self._next is _Next.NOTHING:
                return reason

    async def _serve(self, connection: StreamConnection) -> tuple[Kept, EndReason]:
        try:
            closed = await connection.run()
        except EngineFailed as problem:
            await self._tell(self._turns.fail(self._appended, self._understanding.describe_error(problem)))
            self._next = _Next.ANOTHER
            return Kept(), "finished"
        if self._next is _Next.CHANGE:
            return self._rest_of(connection.session), closed.reason
        await self._tell(self._turns.close(self._appended))
        return Kept(), closed.reason

    def _rest_of(self, session: StreamSession) -> Kept:
        """Return what the next session goes on with; what it is told to do otherwise does not bind it."""
        state = session.state()
        asked = self._asked.options.transcription
        update: dict[str, object] = {}
        if asked.language != session.options.language:
            update["language"] = asked.language
        if asked.prompt != session.options.prompt:
            update["history"] = None
        return Kept(state.model_copy(update=update), session.sound_between(state.begin, session.heard_samples))

    # The session's side

    @override
    async def send(self, news: News) -> None:
        if not isinstance(news, Closed | Drain | Status):
            await self._tell(self._turns.hear(news, self._base))

    # The client's side

    @override
    async def receive(self) -> bytes | Stop:
        """Return the next piece of sound, or why none will come; events of the client are answered meanwhile."""
        while not self._pieces:
            received = await self._line.receive()
            events, stop = self._take(received)
            await self._tell(events)
            if stop is not None:
                return stop
        piece = self._pieces.popleft()
        audio = self._asked.audio
        self._appended += len(piece) / BYTES_PER_SAMPLE[audio.encoding] / audio.sample_rate
        return piece

    def _take(self, received: bytes | str) -> tuple[Sequence[ServerEvent], Stop | None]:
        """Obey an event, or say why not; either way the conversation goes on."""
        event: ClientEvent | None = None
        try:
            if isinstance(received, bytes):
                raise InvalidRequest("Send events as text: sound comes as base64, in input_audio_buffer.append.")
            event = parse_event(received)
            return self._obey(event)
        except WhisperError as problem:
            event_id = event_id_of(received) if event is None else event.event_id
            error = self._understanding.describe_error(problem) | {"event_id": event_id}
            return [Problem(error=error)], None

    def _obey(self, event: ClientEvent) -> tuple[Sequence[ServerEvent], Stop | None]:
        match event:
            case Append():
                self._pieces.extend(_pieces(event.audio))
                return [], None
            case Commit():
                events = self._turns.commit(self._appended)
                self._next = _Next.ANOTHER
                return events, Stop.FINISH
            case Clear():
                self._turns.clear(self._appended)
                self._next = _Next.ANOTHER
                return [Cleared()], Stop.LEAVE
            case SessionUpdate():
                return self._change(event.session, old=False)
            case OldSessionUpdate():
                return self._change(event.session.as_update(), old=True)

    def _change(self, update: Session, *, old: bool) -> tuple[Sequence[ServerEvent], Stop]:
        session = self._session.merged(update)
        try:
            self._asked = self._understanding.ask(session)
        except WhisperError as problem:
            if problem.param in Transcription.model_fields:
                problem.param = f"{_OLD_TRANSCRIPTION if old else _TRANSCRIPTION}.{problem.param}"
            raise
        self._session = session
        self._set_turns()
        self._next = _Next.CHANGE
        return [self._told("updated", old=old)], Stop.LEAVE

    def _set_turns(self) -> None:
        self._turns.detected = self._session.input.turn_detection is not None
        self._turns.logprobs = self._session.logprobs

    # Telling

    async def fail(self, problem: WhisperError) -> None:
        """Say why the conversation ends."""
        error = self._understanding.describe_error(problem)
        events: list[ServerEvent] = [*self._turns.fail(self._appended, error), Problem(error=error)]
        await self._tell(events)

    def _told(self, what: Literal["created", "updated"], *, old: bool) -> SessionTold:
        session, identity = self._session, self._identity
        if old:
            return SessionTold(type=f"transcription_session.{what}", session=describe_old(session, identity))
        return SessionTold(type=f"session.{what}", session=describe(session, identity))

    async def _tell(self, events: Iterable[ServerEvent]) -> None:
        async with self._patience.turn():
            for event in events:
                body = {"event_id": self._understanding.new_id("event")} | event.model_dump()
                await self._line.send(json.dumps(body, ensure_ascii=False))


def _pieces(audio: str) -> Iterator[bytes]:
    try:
        sound = base64.b64decode(audio, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest("audio: this is not base64.", param="audio") from None
    for begin in range(0, len(sound), _PIECE_BYTES):
        yield sound[begin : begin + _PIECE_BYTES]
