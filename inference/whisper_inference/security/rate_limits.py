"""How often somebody may ask: counted over a sliding window, by all replicas together where they share a Redis.

While Redis is away each process counts for itself: limits widen, and do not open.
"""

import math
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Final, NamedTuple

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from whisper_inference.errors import RateLimited, StoreUnavailable
from whisper_inference.security.shared_windows import SharedWindows, Window
from whisper_inference.sessions.redis_link import RedisLink

UNLIMITED: Final = "unlimited"


class RateClass(StrEnum):
    """What is counted apart."""

    TRANSCRIPTIONS = "transcriptions"
    """Requests with audio, by credential."""
    READS = "reads"
    """All others that need a credential, by credential."""
    LOGINS = "logins"
    """Attempts to log in, by address."""
    REFUSALS = "refusals"
    """Requests with a credential that is none, by address; each process for itself."""


class Standing(NamedTuple):
    """How somebody stands after a request."""

    limit: int
    remaining: int
    reset_seconds: int
    """Until there is room again."""


class RateLimits:
    """Counts requests, and refuses those beyond a limit.

    Args:
        rates: For each class, such as `10/minute`; `unlimited` is not counted.
        link: The way to Redis, if there is one.
    """

    def __init__(self, rates: Mapping[RateClass, str], link: RedisLink | None) -> None:
        self._rates = {name: _parsed(rate) for name, rate in rates.items()}
        self._link = link
        self._memory = MemoryStorage()
        self._local = SlidingWindowCounterRateLimiter(self._memory)
        self._shared = None if link is None else SharedWindows(link)

    async def take(self, rate: RateClass, who: str) -> Standing | None:
        """Count a request; return how its sender stands, `None` if that is unlimited.

        Raises:
            RateLimited: It is one too many.
        """
        item = self._rates[rate]
        if item is None:
            return None
        allowed, standing = await self._hit(item, rate, who)
        if not allowed:
            raise _limited(item, standing.reset_seconds)
        return standing

    async def standing(self, rate: RateClass, who: str) -> Standing | None:
        """Return how somebody stands, and count nothing; `None` if that is unlimited."""
        item = self._rates[rate]
        if item is None:
            return None
        if self._link is not None and self._shared is not None:
            with suppress(StoreUnavailable):
                async with self._link.talking():
                    return standing_of(item, await self._shared.look(item, rate, who))
        return await self._local_standing(item, rate, who)

    async def check_refusals(self, address: str) -> None:
        """Let an address go on that has not sent too many wrong credentials.

        Raises:
            RateLimited: It has.
        """
        item = self._rates[RateClass.REFUSALS]
        if item is not None and not await self._local.test(item, RateClass.REFUSALS, address):
            raise _limited(item, (await self._local_standing(item, RateClass.REFUSALS, address)).reset_seconds)

    async def refused(self, address: str) -> None:
        """Count a wrong credential."""
        item = self._rates[RateClass.REFUSALS]
        if item is not None:
            await self._local.hit(item, RateClass.REFUSALS, address)

    async def _hit(self, item: RateLimitItem, rate: RateClass, who: str) -> tuple[bool, Standing]:
        if self._link is not None and self._shared is not None:
            try:
                async with self._link.talking():
                    counted, window = await self._shared.count(item, rate, who)
                return counted, standing_of(item, window)
            except StoreUnavailable:
                pass  # the link has said so; this process counts for itself
        return await self._local.hit(item, rate, who), await self._local_standing(item, rate, who)

    async def _local_standing(self, item: RateLimitItem, rate: RateClass, who: str) -> Standing:
        return standing_of(
            item, Window(*await self._memory.get_sliding_window(item.key_for(rate, who), item.get_expiry()))
        )


def standing_of(item: RateLimitItem, window: Window) -> Standing:
    """Say how somebody stands: the window before counts the less, the longer it is over."""
    length = item.get_expiry()
    used = math.floor(window.before * window.before_seconds / length + window.now)
    room = []
    if window.before:
        room.append(_until_next(window.before_seconds, length / window.before))
    if window.now:
        room.append(_until_next(window.now_seconds, length))
    return Standing(item.amount, max(0, item.amount - used), math.ceil(min(room, default=0)))


def _until_next(left: float, step: float) -> float:
    """Return the time to the next step; what is a whole number of steps away has just made one."""
    return left % step or step


def _parsed(rate: str) -> RateLimitItem | None:
    return None if rate == UNLIMITED else parse(rate)


def _limited(item: RateLimitItem, seconds: int) -> RateLimited:
    wait = max(1, seconds)
    return RateLimited(f"More than {item}: try again in {wait} seconds.", limit=item.amount, retry_after_seconds=wait)
