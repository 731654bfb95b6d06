"""`Expiring`: what one process keeps for a while."""

from collections.abc import Callable, Hashable
from datetime import timedelta
from typing import Generic, TypeVar

from cachetools import TLRUCache

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class Expiring(Generic[KeyT, ValueT]):
    """A dictionary whose entries end, each at its own time; of too many, the longest unused goes.

    Args:
        most: Entries.
        clock: Monotonic seconds.
    """

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: TLRUCache[KeyT, tuple[ValueT, float]] = TLRUCache(
            most, ttu=lambda _key, entry, _now: entry[1], timer=clock
        )

    def put(self, key: KeyT, value: ValueT, lasting: timedelta) -> None:
        """Keep a value for a while."""
        self._entries[key] = value, self._clock() + lasting.total_seconds()

    def get(self, key: KeyT) -> ValueT | None:
        """Return a value; `None` if it is not there, or not any more."""
        entry = self._entries.get(key)
        return None if entry is None else entry[0]

    def remaining(self, key: KeyT) -> timedelta | None:
        """Return for how much longer an entry is kept; `None` if it is not there."""
        entry = self._entries.get(key)
        return None if entry is None else timedelta(seconds=entry[1] - self._clock())

    def pop(self, key: KeyT) -> bool:
        """Forget an entry; say whether it was there."""
        return self._entries.pop(key, None) is not None

    def live(self) -> list[KeyT]:
        """Return the keys of all entries."""
        return list(self._entries)
