"""The sweep: proves that every key of the store has an end, and gives one to those that have none.

On the way it moves keys of the layout before. One replica sweeps in each interval; the others say what it found.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from whisper_inference.errors import StoreUnavailable
from whisper_inference.sessions.migration import PREVIOUS, move
from whisper_inference.sessions.redis_link import LAYOUT, RedisLink
from whisper_inference.sessions.scanning import each_key

logger = logging.getLogger(__name__)

INTERVAL: Final = timedelta(minutes=5)
_ROOT: Final = "whisper:"
"""Begins the keys of every layout."""
_SWEPT: Final = f"{LAYOUT}:swept"
"""Who makes this key sweeps; it holds what was found, and lasts for an interval."""
_SESSION_DATA: Final = frozenset({"session", "sessions"})
"""What ends within the retention. Others have retentions of their own, or are counts: they need only have an end."""
_MEND: Final = """
local left = redis.call('PTTL', KEYS[1])
if left == -1 or (ARGV[2] == 'capped' and left > tonumber(ARGV[1])) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return left
"""


class SweepObserver(Protocol):
    """Whoever wants to know."""

    def store_swept(self, at: datetime, keys: int) -> None:
        """Take in what the last sweep found, whoever made it."""
        ...

    def keys_mended(self, reason: str, count: int) -> None:
        """Take in how many keys had no end (`endless`), one too far away (`too_long`), or were moved (`moved`)."""
        ...


class Sweeper:
    """Sweeps the store.

    Args:
        link: The way to Redis.
        retention: The longest that anything of a session is kept.
        clock: The time, with its zone.
        observer: Whom to tell.
    """

    def __init__(
        self, link: RedisLink, retention: timedelta, clock: Callable[[], datetime], observer: SweepObserver
    ) -> None:
        self._link, self._clock, self._observer = link, clock, observer
        self._retention = retention

    async def run(self, interval: timedelta = INTERVAL) -> None:
        """Sweep in each interval, or hear what another replica found, until cancelled."""
        while True:
            try:
                await self.take_turn(interval)
            except StoreUnavailable as problem:
                # The link has said so.
                await asyncio.sleep(problem.retry_after_seconds)
                continue
            await asyncio.sleep(interval.total_seconds() * random.uniform(0.5, 1))  # noqa: S311 - no secret

    async def take_turn(self, interval: timedelta) -> None:
        """Sweep, if nobody has in this interval.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        async with self._link.talking():
            ours = await self._link.client.set(_SWEPT, b"", nx=True, px=interval)
            found = b"" if ours else await self._link.client.get(_SWEPT)
        if ours:
            found = await self._sweep()
        if isinstance(found, bytes) and found:
            at, keys = found.decode().split()
            self._observer.store_swept(datetime.fromisoformat(at), int(keys))

    async def _sweep(self) -> bytes:
        keys, mended = set[str](), Counter[str]()
        async for key in each_key(self._link, _ROOT):
            if key in keys:
                continue
            keys.add(key)
            reason = await self._mend(key)
            if reason is not None:
                mended[reason] += 1
        for reason, count in mended.items():
            logger.warning("Keys of the session store that were mended (%s): %d", reason, count)
            self._observer.keys_mended(reason, count)
        found = f"{self._clock().isoformat()} {len(keys)}".encode()
        async with self._link.talking():
            await self._link.client.set(_SWEPT, found, xx=True, keepttl=True)
        return found

    async def _mend(self, key: str) -> str | None:
        if key.startswith(f"{PREVIOUS}:"):
            await move(self._link, key, self._retention)
            return "moved"
        if not key.startswith(f"{LAYOUT}:"):
            return None  # of a version to come
        longest = int(self._retention / timedelta(milliseconds=1))
        capped = _family(key) in _SESSION_DATA
        async with self._link.talking():
            left = int(await self._link.client.eval(_MEND, 1, key, longest, "capped" if capped else ""))
        if left == -1:
            return "endless"
        return "too_long" if capped and left > longest else None


def _family(key: str) -> str:
    """Return what kind of thing a key holds: the word after the layout and the owner."""
    words = key.removeprefix(f"{LAYOUT}:").split(":")
    return words[1] if words[0].startswith("{") and len(words) > 1 else words[0]
