"""What strangers can repeat at will is written down once in a while, with how often it was repeated. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

from whisper_inference.audit.events import Action
from whisper_inference.errors import ConcurrencyLimited, Overloaded, QuotaExceeded, RateLimited

SAMPLED: Final = frozenset({Action.AUTHENTICATION, Action.AUTHORIZATION, Action.RATE_LIMIT})
"""Once in a window of each kind, from each sender."""
SAMPLED_REASONS: Final = frozenset(kind.code for kind in (RateLimited, ConcurrencyLimited, QuotaExceeded, Overloaded))
"""The same, whatever was tried."""
WINDOW_SECONDS: Final = 60.0
MOST_FROM_STRANGERS: Final = 300
"""Failures in a window of senders that nobody knows, together."""
_MOST_SENDERS: Final = 10_000


@dataclass(slots=True)
class _Seen:
    began: float
    more: int = 0


class Sampler:
    """Counts what it does not let through.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: LRUCache[tuple[str, ...], _Seen] = LRUCache(_MOST_SENDERS)
        self._strangers = _Seen(clock())

    def repeated(self, *kind: str) -> int | None:
        """Return how many of a kind came since the last one that was let through; `None`: this one is only counted."""
        now, seen = self._clock(), self._seen.get(kind)
        if seen is not None and now - seen.began < WINDOW_SECONDS:
            seen.more += 1
            return None
        self._seen[kind] = _Seen(now)
        return 0 if seen is None else seen.more

    def has_room_for_strangers(self) -> bool:
        """Take one of the places for failures of unknown senders, if there is one left in this window."""
        now = self._clock()
        if now - self._strangers.began >= WINDOW_SECONDS:
            self._strangers = _Seen(now)
        self._strangers.more += 1
        return self._strangers.more <= MOST_FROM_STRANGERS
