"""What a request says, to be sent on to another replica."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


class Body(Protocol):
    """May be written more than once, one time after another."""

    @property
    def content_type(self) -> str:
        """The header of the same name."""
        ...

    async def length(self) -> int:
        """Return how many bytes it has."""
        ...

    def content(self) -> AsyncIterator[bytes]:
        """Write it, from its beginning."""
        ...


@dataclass(frozen=True, slots=True)
class Whole:
    """One that is in memory, as it came."""

    data: bytes
    content_type: str

    async def length(self) -> int:
        """Return how many bytes it has."""
        return len(self.data)

    async def content(self) -> AsyncIterator[bytes]:
        """Write it."""
        yield self.data
