"""`MemoryStore`: sessions of one process, gone with it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from whisper_inference.sessions.expiring import Expiring
from whisper_inference.sessions.store import SessionId, StoredSession

_MOST_ENTRIES: Final = 100_000
"""Names that strangers make up must not fill the memory."""


class MemoryStore:
    """Keeps sessions in dictionaries.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._sessions = Expiring[SessionId, bytes](_MOST_ENTRIES, clock)
        self._counts = Expiring[str, int](_MOST_ENTRIES, clock)
        self._held = Expiring[str, None](_MOST_ENTRIES, clock)

    async def create(self, key: SessionId, value: bytes, idle: timedelta, absolute: timedelta) -> None:
        """Keep a session."""
        self._sessions.put(key, value, min(idle, absolute))

    async def read(self, key: SessionId, idle: timedelta) -> bytes | None:
        """Return a session, and keep it for longer."""
        value = self._sessions.get(key)
        if value is not None:
            self._sessions.put(key, value, idle)
        return value

    async def all_of(self, owner: str) -> list[StoredSession]:
        """Return an owner's sessions."""
        own = [key for key in self._sessions.live() if key.owner == owner]
        found = [(key, self._sessions.get(key), self._sessions.remaining(key)) for key in own]
        return [StoredSession(key, value, left) for key, value, left in found if value is not None and left is not None]

    async def delete(self, key: SessionId) -> bool:
        """Forget a session; say whether it was there."""
        return self._sessions.pop(key)

    async def delete_all(self, owner: str) -> int:
        """Forget all of an owner's sessions."""
        own = [key for key in self._sessions.live() if key.owner == owner]
        for key in own:
            self._sessions.pop(key)
        return len(own)

    async def count(self, name: str, lasting: timedelta) -> int:
        """Count one more of something."""
        counted = (self._counts.get(name) or 0) + 1
        self._counts.put(name, counted, lasting)
        return counted

    async def hold(self, name: str, lasting: timedelta) -> None:
        """Remember a name for a while."""
        self._held.put(name, None, lasting)

    async def held_for(self, name: str) -> timedelta | None:
        """Return for how much longer a name is remembered."""
        return self._held.remaining(name)

    async def forget(self, name: str) -> None:
        """Forget a name and its count."""
        self._held.pop(name)
        self._counts.pop(name)

    async def close(self) -> None:
        """Nothing is open."""
