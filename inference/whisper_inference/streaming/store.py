"""The seam to what keeps streams, so that another connection, to any replica, can go on with one."""

from datetime import timedelta
from typing import NamedTuple, Protocol

from whisper_inference.sessions.store import SessionId


class KeptSound(NamedTuple):
    """What is not final yet."""

    samples: bytes
    place: bytes = b""
    """Where the client's own bytes go on after it, if its samples do not tell."""


class KeptStream(NamedTuple):
    """A stream that was taken over."""

    state: bytes
    sound: KeptSound
    epoch: int
    """Grows with each connection: what an earlier one writes is refused."""


class StreamStore(Protocol):
    """Keeps streams for a while. Every method may raise `StoreUnavailable`."""

    shared: bool
    """Other processes can go on with what is kept."""

    async def keep(self, key: SessionId, epoch: int, state: bytes, sound: KeptSound, lasting: timedelta) -> bool:
        """Keep a stream; say whether it is still this connection's."""
        ...

    async def append(self, key: SessionId, epoch: int, sound: KeptSound, lasting: timedelta) -> bool:
        """Keep more sound, and its end; say whether the stream is kept and still this connection's."""
        ...

    async def take(self, key: SessionId, lasting: timedelta) -> KeptStream | None:
        """Take a stream over, in a new epoch; `None` if it is not kept."""
        ...

    async def forget(self, key: SessionId) -> None:
        """Forget a stream."""
        ...
