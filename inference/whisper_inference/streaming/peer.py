"""Whoever is at the other end of a stream, whatever protocol they speak."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import Protocol, TypeAlias

from typing_extensions import override

from whisper_inference.errors import SlowReader
from whisper_inference.streaming.events import StreamEvent
from whisper_inference.streaming.protocol import Closed, Drain, Status
from whisper_inference.transcription import Seconds


class PeerGone(Exception):
    """The client has closed the connection."""


class Stop(Enum):
    """Why a client says no more."""

    FINISH = auto()
    """What was said until now becomes final."""
    LEAVE = auto()
    """What is not final stays so: another connection goes on with the session, or none."""


News: TypeAlias = StreamEvent | Status | Drain | Closed
"""What a client is told, in the words of its protocol."""


class Peer(Protocol):
    """A client."""

    async def receive(self) -> bytes | Stop:
        """Return the next frame of sound, or that there will be none.

        Raises:
            PeerGone: The client went.
            WhisperError: What it sent cannot be obeyed, and the stream cannot go on.
        """
        ...

    async def send(self, news: News) -> None:
        """Tell, if the protocol has words for it; returns when they are on their way.

        Raises:
            PeerGone: Nobody takes it.
        """
        ...


class Patience:
    """Lets a client be told one thing after another, and does not wait for ever.

    Args:
        longest: A client that takes what it is told for longer than this does not read.
    """

    def __init__(self, longest: Seconds) -> None:
        self._longest = longest
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one's turn to tell, and have it while the context lasts.

        Raises:
            SlowReader: It lasted too long.
        """
        try:
            async with asyncio.timeout(self._longest), self._turn:
                yield
        except TimeoutError:
            raise SlowReader("The client does not read what it is sent: read faster, or ask for fewer.") from None


class PatientPeer(Peer):
    """A client that is told one thing after another.

    Args:
        peer: The client.
        patience: How long it may take for each.
    """

    def __init__(self, peer: Peer, patience: Seconds) -> None:
        self._peer = peer
        self._patience = Patience(patience)

    @override
    async def receive(self) -> bytes | Stop:
        return await self._peer.receive()

    @override
    async def send(self, news: News) -> None:
        async with self._patience.turn():
            await self._peer.send(news)
