"""Keeps one stream while it goes on, so that no word that was promised is lost with its connection or its server."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import numpy as np
from pydantic import BaseModel, ValidationError

from whisper_inference.arrays import FloatArray
from whisper_inference.audio.features import SAMPLE_RATE
from whisper_inference.errors import StoreUnavailable, StreamTaken
from whisper_inference.sessions.store import SessionId
from whisper_inference.streaming.protocol import FinalSegment, Start
from whisper_inference.streaming.session import SessionState, StreamSession
from whisper_inference.streaming.store import KeptSound, StreamStore
from whisper_inference.timing import Clock
from whisper_inference.transcription import Seconds, Segment

logger = logging.getLogger(__name__)

_PIECE: Final = SAMPLE_RATE
"""Sound is kept in pieces of a second: what a server that dies takes with it is heard again."""
_MOST_SILENCE: Final = 5 * SAMPLE_RATE
"""Kept of what turned out to be silence, before it is written anew without it."""
_MOST_FINALS: Final = 200
"""Segments that a client can have missed."""


class StreamState(BaseModel):
    """What is kept of a stream beside its sound."""

    start: Start
    session: SessionState
    finals: tuple[FinalSegment, ...]


def _nowhere(heard: int) -> bytes:  # noqa: ARG001 - as `SoundDecoder.place`
    return b""


@dataclass(slots=True)
class Keeper:
    """Writes a stream to the store.

    Where the store is away, the stream goes on: it could not be resumed, until the store is back.
    """

    store: StreamStore
    key: SessionId
    start: Start
    lasting: timedelta
    """A stream that nobody goes on with is forgotten after this."""
    epoch: int = 0
    finals: tuple[FinalSegment, ...] = ()
    place: Callable[[int], bytes] = _nowhere
    """Says where the client's bytes go on after so many samples."""
    clock: Clock = time.monotonic
    _kept: SessionState | None = None
    _kept_until: int = 0
    _kept_at: Seconds = 0.0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def shared(self) -> bool:
        """Other processes can go on with what is kept."""
        return self.store.shared

    def said(self, finals: Sequence[Segment]) -> None:
        """Take in segments that are about to be told; kept with the next `save`."""
        worded = [FinalSegment.of(each, words=self.start.word_timestamps) for each in finals]
        self.finals = (*self.finals, *worded)[-_MOST_FINALS:]

    async def save(self, session: StreamSession, *, whole: bool = False) -> None:
        """Keep what changed since the last time, and what would soon be forgotten: silence changes nothing.

        Args:
            session: As it is now.
            whole: Also what would wait for more of its kind.

        Raises:
            StreamTaken: Another connection goes on with the stream.
        """
        async with self._turn:
            state = session.state()
            try:
                if whole or self._differs(state) or self._fades():
                    mine = await self._keep(session, state)
                elif session.heard_samples - self._kept_until >= _PIECE:
                    # What the store has lost is nobody else's: only `keep` can tell.
                    mine = await self._append(session) or await self._keep(session, state)
                else:
                    return
            except StoreUnavailable:
                self._kept = None  # written whole once it is back
                return
        if not mine:
            raise StreamTaken("Another connection goes on with this stream.")

    async def refresh(self, session: StreamSession) -> None:
        """Keep what would soon be forgotten, where nothing can have changed: cheaper than `save`.

        Raises:
            StreamTaken: As `save`.
        """
        if self._kept is None or self._fades():
            await self.save(session)

    async def forget(self) -> None:
        """The stream is over."""
        try:
            await self.store.forget(self.key)
        except StoreUnavailable:
            return  # it ends by itself

    def _differs(self, state: SessionState) -> bool:
        kept = self._kept
        if kept is None or state.begin - kept.begin > _MOST_SILENCE:
            return True
        return state.model_copy(update={"begin": kept.begin}) != kept

    def _fades(self) -> bool:
        return self.clock() - self._kept_at > self.lasting.total_seconds() / 2

    async def _keep(self, session: StreamSession, state: SessionState) -> bool:
        begin, until = state.begin, session.heard_samples
        sound = session.sound_between(begin, until)
        whole = StreamState(start=self.start, session=state, finals=self.finals)
        kept = KeptSound(_packed(sound), self.place(until))
        mine = await self.store.keep(self.key, self.epoch, whole.model_dump_json().encode(), kept, self.lasting)
        self._kept, self._kept_until, self._kept_at = state, until, self.clock()
        return mine

    async def _append(self, session: StreamSession) -> bool:
        until = session.heard_samples
        sound = session.sound_between(self._kept_until, until)
        more = KeptSound(_packed(sound), self.place(until))
        mine = await self.store.append(self.key, self.epoch, more, self.lasting)
        self._kept_until, self._kept_at = until, self.clock()
        return mine


def parse_state(kept: bytes) -> StreamState | None:
    """Understand what was kept; `None` if another version wrote it."""
    try:
        return StreamState.model_validate_json(kept)
    except ValidationError:
        logger.warning("A stream was kept in a form that this version does not know")
        return None


def unpacked(sound: bytes) -> FloatArray:
    """Return kept sound, `[n]` float32."""
    return np.frombuffer(sound[: len(sound) // 2 * 2], dtype="<i2").astype(np.float32) / np.float32(32767)


def _packed(sound: FloatArray) -> bytes:
    return np.round(sound * 32767).astype("<i2").tobytes()
