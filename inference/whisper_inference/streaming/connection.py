"""One stream's life: sound in, events out, until somebody has had enough. Knows no transport."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import numpy as np

from whisper_inference.arrays import FloatArray
from whisper_inference.audio.features import SAMPLE_RATE
from whisper_inference.audio.silero import CHUNK_SAMPLES, SileroStream
from whisper_inference.decoding.windows import WindowTranscript
from whisper_inference.errors import InvalidRequest
from whisper_inference.streaming.events import Excerpt
from whisper_inference.streaming.events import Final as FinalText
from whisper_inference.streaming.frames import SoundDecoder
from whisper_inference.streaming.peer import PatientPeer, Peer, Stop
from whisper_inference.streaming.protocol import Closed, Drain, EndReason, Status, Usage
from whisper_inference.streaming.session import StreamSession
from whisper_inference.timing import Clock
from whisper_inference.transcription import DropReason, Seconds, Segment, TranscriptionOptions

_MOST_PENDING: Final[Seconds] = 60.0
"""Sound that may wait for its text; beyond it nothing is read, and the client's own socket fills."""
_STATUS_INTERVAL: Final[Seconds] = 5.0
_LOOK_INTERVAL: Final[Seconds] = 1.0
"""How often a stream without sound looks whether the server drains: a thousand of them must not fill a core with it."""
_STRETCH: Final = 1.5
"""A stream whose hypotheses take so long asks for fewer: the engine has others, too."""

_CHARGED_SECONDS: Final[Seconds] = 30.0
"""Sound is charged in pieces of this length, so that a long stream cannot pass over its quota."""

Charge: TypeAlias = Callable[[Seconds], Awaitable[None]]
"""Counts sound that came; may refuse more."""


class Keeps(Protocol):
    """Keeps the stream for whoever goes on with it; see `Keeper`."""

    @property
    def shared(self) -> bool:
        """Other processes can go on with what is kept."""
        ...

    def said(self, finals: Sequence[Segment]) -> None:
        """Take in segments that are about to be told."""
        ...

    async def save(self, session: StreamSession, *, whole: bool = False) -> None:
        """Keep what changed."""
        ...

    async def refresh(self, session: StreamSession) -> None:
        """Keep for longer what has not changed."""
        ...

    async def forget(self) -> None:
        """The stream is over."""
        ...


class Recognizes(Protocol):
    """Whatever decodes excerpts."""

    async def recognize(self, excerpt: Excerpt, options: TranscriptionOptions) -> WindowTranscript:
        """Decode an excerpt."""
        ...


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What ends a stream that its client does not end."""

    idle: Seconds = 60.0
    longest: Seconds = 4 * 3600.0
    partial_interval: Seconds = 1.0
    """For streams that ask for no other."""
    endpoint_silence: Seconds = 0.6
    """The same."""
    send: Seconds = 10.0
    """A client that takes a message for longer than this does not read."""
    largest_frame_bytes: int = 1 << 20


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a stream must know of the server."""

    clock: Clock
    draining: Callable[[], bool]
    charge: Charge
    withheld: Callable[[DropReason], None]
    """Called with why something that seemed to be said does not become text."""
    limits: StreamLimits


@dataclass(frozen=True, slots=True)
class Ears:
    """What turns frames into sound and hears voices in it; called on a thread."""

    decoder: SoundDecoder
    activity: SileroStream
    threads: Executor
    told: Callable[[Seconds], None]
    """Called with how much sound came; not on a thread."""


class StreamConnection:
    """Runs one stream: reads, decodes what is due, and tells, each at its own pace.

    Args:
        peer: The client.
        session: Its speech.
        recognizer: Decodes.
        ears: Turn frames into sound.
        server: What it must know of the server.
        keeper: Keeps it.
    """

    def __init__(
        self,
        peer: Peer,
        session: StreamSession,
        recognizer: Recognizes,
        ears: Ears,
        server: Surroundings,
        keeper: Keeps,
    ) -> None:
        self._peer = PatientPeer(peer, server.limits.send)
        self._session = session
        self._recognizer = recognizer
        self._ears = ears
        self._server = server
        self._limits = server.limits
        self._keeper = keeper
        self._sound_came = asyncio.Event()
        self._text_came = asyncio.Event()
        self._rest = np.zeros(0, dtype=np.float32)
        """Sound that fills no chunk yet."""
        self._reason: EndReason = "finished"
        self._charged: Seconds = session.heard
        self._moving = False
        """Another server goes on: what is not final stays so."""

    @property
    def session(self) -> StreamSession:
        """What was said so far."""
        return self._session

    @property
    def decoder(self) -> SoundDecoder:
        """What its sound is decoded with."""
        return self._ears.decoder

    async def run(self) -> Closed:
        """Serve the stream to its end; return the totals, which were sent.

        Raises:
            PeerGone: The client went.
            WhisperError: The stream cannot go on; the client may be told why.
        """
        try:
            supposed = self._session.supposed()
            if supposed is not None:
                await self._peer.send(supposed)
            await self._keeper.save(self._session, whole=True)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read())
                telling = tasks.create_task(self._tell_status())
                await self._answer()
                telling.cancel()
        except ExceptionGroup as group:
            raise group.exceptions[0] from None  # one is enough for the client
        finally:
            await self._charge(0.0)
        closed = Closed(
            reason=self._reason,
            segments=self._session.finals,
            language=self._session.language,
            usage=Usage(seconds=round(self._session.heard, 2)),
        )
        await self._peer.send(closed)
        if not self._moving:
            await self._keeper.forget()
        return closed

    # Reading

    async def _read(self) -> None:
        stopped = await self._read_frames()
        self._reason = "finished" if isinstance(stopped, Stop) else stopped
        if stopped == "drain":
            self._moving = self._keeper.shared
            await self._keeper.save(self._session, whole=True)
            await self._peer.send(Drain())
        if not self._moving:
            await self._hear(None)
            if stopped is Stop.LEAVE:
                self._moving = True
            else:
                self._session.finish()
        self._sound_came.set()

    async def _read_frames(self) -> EndReason | Stop:
        """Hear frames until there are no more; say why."""
        began = came = self._server.clock()
        receiving = asyncio.create_task(self._peer.receive())
        try:
            while True:
                done, _ = await asyncio.wait({receiving}, timeout=_LOOK_INTERVAL)
                now = self._server.clock()
                if self._server.draining():
                    return "drain"
                if now - began > self._limits.longest:
                    return "longest"
                if not done:
                    if now - came > self._limits.idle:
                        return "idle"
                    await self._keeper.refresh(self._session)  # who says nothing must not be forgotten
                    continue
                received, came = receiving.result(), now
                if isinstance(received, Stop):
                    return received
                await self._hear(self._checked(received))
                receiving = asyncio.create_task(self._peer.receive())
        finally:
            receiving.cancel()

    def _checked(self, frame: bytes) -> bytes:
        most = self._limits.largest_frame_bytes
        if len(frame) > most:
            raise InvalidRequest(f"A frame has {len(frame)} bytes and may have {most}: send smaller ones.")
        return frame

    async def _hear(self, frame: bytes | None) -> None:
        loop = asyncio.get_running_loop()
        samples, probabilities = await loop.run_in_executor(self._ears.threads, self._listen, frame)
        self._session.hear(samples, probabilities)
        self._ears.told(len(samples) / SAMPLE_RATE)
        self._sound_came.set()
        await self._keeper.save(self._session)
        await self._charge(_CHARGED_SECONDS)
        while self._session.pending > _MOST_PENDING:
            self._text_came.clear()
            await self._text_came.wait()

    async def _charge(self, least: Seconds) -> None:
        due = self._session.heard - self._charged
        if due > least:
            self._charged += due
            await self._server.charge(due)

    def _listen(self, frame: bytes | None) -> tuple[FloatArray, FloatArray]:
        """Return whole chunks, and how likely somebody speaks in each; without a frame the last one, filled up."""
        decoder = self._ears.decoder
        heard = np.concatenate([self._rest, decoder.finish() if frame is None else decoder.take(frame)])
        if frame is None:
            heard = np.pad(heard, (0, -len(heard) % CHUNK_SAMPLES))
        whole = len(heard) // CHUNK_SAMPLES * CHUNK_SAMPLES
        self._rest = heard[whole:]
        return heard[:whole], self._ears.activity.listen(heard[:whole])

    # Answering

    async def _answer(self) -> None:
        while not (self._session.done or self._moving):
            self._sound_came.clear()  # before the look: what comes while it is told what was seen must not be lost
            excerpt = self._session.next_excerpt()
            await self._tell_noticed()
            if excerpt is not None:
                await self._decode(excerpt)
            elif not self._session.done:
                await self._sound_came.wait()
        await self._tell_noticed()

    async def _tell_noticed(self) -> None:
        for event in self._session.noticed():
            await self._peer.send(event)

    async def _decode(self, excerpt: Excerpt) -> None:
        began = self._server.clock()
        heard = await self._recognizer.recognize(excerpt, self._session.options)
        self._session.stretch(_STRETCH * (self._server.clock() - began))
        told = self._session.understood(heard)
        self._text_came.set()
        for dropped in self._session.withheld():
            self._server.withheld(dropped.reason)
        self._keeper.said([event.segment for event in told if isinstance(event, FinalText)])
        # Before anybody reads it: a word that was told once must not be lost, or told twice.
        await self._keeper.save(self._session)
        for event in told:
            await self._peer.send(event)

    async def _tell_status(self) -> None:
        while True:
            await asyncio.sleep(_STATUS_INTERVAL)
            session = self._session
            status = Status(
                heard_seconds=round(session.heard, 2),
                lag_seconds=round(session.lag, 2),
                interval_seconds=round(session.interval, 2),
            )
            await self._peer.send(status)
