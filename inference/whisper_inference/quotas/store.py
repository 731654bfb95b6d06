"""The seam to what counts use: Redis for many processes, memory for one. Every entry has an end."""

from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol


class LeaseClass(StrEnum):
    """What is held at once, each counted apart."""

    REQUESTS = "requests"
    """Requests with audio."""
    STREAMS = "streams"
    """Live speech."""


class Pool(NamedTuple):
    """Leases that are counted together."""

    kind: LeaseClass
    credential: str


class AudioDay(NamedTuple):
    """Audio that is counted together."""

    credential: str
    day: date
    """In UTC."""


class QuotaStore(Protocol):
    """Counts leases and audio. Every method may raise `StoreUnavailable`."""

    async def take(self, pool: Pool, lease: str, most: int, lasting: timedelta) -> bool:
        """Take a lease unless `most` are held; say whether it was taken. It ends by itself after `lasting`."""
        ...

    async def renew(self, pool: Pool, lease: str, lasting: timedelta) -> None:
        """Hold a lease for `lasting` from now on, also one that has ended."""
        ...

    async def give_back(self, pool: Pool, lease: str) -> None:
        """Hold a lease no more."""
        ...

    async def held(self, pool: Pool) -> int:
        """Return how many leases are held."""
        ...

    async def charge(self, audio: AudioDay, seconds: float, most: float | None) -> bool:
        """Count so much audio unless `most` is reached already; say whether it was counted.

        Negative seconds take back what was counted.
        """
        ...

    async def charged(self, audio: AudioDay) -> float:
        """Return how many seconds were counted."""
        ...
