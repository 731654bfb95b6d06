"""The seam to what keeps sessions: Redis for many processes, memory for one. Every entry has an end."""

from datetime import timedelta
from typing import NamedTuple, Protocol


class SessionId(NamedTuple):
    """Where a session is kept: all of an owner's lie together."""

    owner: str
    """A tag of whoever's it is: hexadecimal, so that no name needs escaping."""
    identity: str


class StoredSession(NamedTuple):
    """What is kept, and for how much longer if nobody reads it."""

    key: SessionId
    value: bytes
    idle_left: timedelta


class SessionStore(Protocol):
    """Keeps sessions and counts. Every method may raise `StoreUnavailable`."""

    async def create(self, key: SessionId, value: bytes, idle: timedelta, absolute: timedelta) -> None:
        """Keep a session until it was not read for `idle`; the owner's list forgets it after `absolute`."""
        ...

    async def read(self, key: SessionId, idle: timedelta) -> bytes | None:
        """Return a session, and keep it for `idle` more."""
        ...

    async def all_of(self, owner: str) -> list[StoredSession]:
        """Return an owner's sessions, in no order; none lives longer for it."""
        ...

    async def delete(self, key: SessionId) -> bool:
        """Forget a session; of all who ask at once, one is told that it was there."""
        ...

    async def delete_all(self, owner: str) -> int:
        """Forget all of an owner's sessions; return how many there were."""
        ...

    async def count(self, name: str, lasting: timedelta) -> int:
        """Count one more of something, and return how many there were since the last pause of this length."""
        ...

    async def hold(self, name: str, lasting: timedelta) -> None:
        """Remember a name for a while."""
        ...

    async def held_for(self, name: str) -> timedelta | None:
        """Return for how much longer a name is remembered; `None` if it is not."""
        ...

    async def forget(self, name: str) -> None:
        """Forget a name and its count."""
        ...

    async def close(self) -> None:
        """Let its connections go."""
        ...
