"""Holds what a request uses against what its credential may use."""

import asyncio
import math
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from whisper_inference.errors import ConcurrencyLimited, QuotaExceeded
from whisper_inference.quotas.quota import Allowance, Consumer
from whisper_inference.quotas.store import AudioDay, LeaseClass, Pool, QuotaStore
from whisper_inference.transcriber.metering import Metering
from whisper_inference.transcription import Seconds

LEASE: Final = timedelta(seconds=30)
"""What a process that was killed held is free after this."""
_RENEWALS: Final = 3
"""In the time of a lease: two may fail."""
_RETRY_SECONDS: Final = 1
"""Nobody knows when a request ends; short ones end soon."""
_AUDIO: Final = "audio"
LIMITS: Final = (*LeaseClass, _AUDIO)
"""What can be used up."""


class Usage(NamedTuple):
    """What somebody uses, and may."""

    allowance: Allowance
    audio_seconds: Seconds
    """Of today."""
    requests: int
    streams: int
    resets_at: datetime
    """When the next day begins."""


class Meter:
    """Lets requests begin while their credential has room, and counts what they use.

    Args:
        usual: What a credential may use that has no quota of its own.
        store: Where it is counted.
        now: The time, with its zone.
        lease: How long what a request holds lasts without being renewed.
        refused: Called with what was used up, whenever that keeps somebody from something: see `LIMITS`.
    """

    def __init__(
        self,
        usual: Allowance,
        store: QuotaStore,
        now: Callable[[], datetime],
        *,
        lease: timedelta = LEASE,
        refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._usual, self._store, self._now, self._lease = usual, store, now, lease
        self._refused = refused

    @asynccontextmanager
    async def admit(self, consumer: Consumer, kind: LeaseClass) -> AsyncIterator[Metering]:
        """Hold a lease for as long as the context lasts; give what the transcriber counts the audio with.

        Raises:
            QuotaExceeded: The day's audio is used up.
            ConcurrencyLimited: As much as is allowed is under way.
        """
        allowance = consumer.quota.over(self._usual)
        await self._check_audio(consumer, allowance)
        pool, lease = Pool(kind, consumer.credential), secrets.token_hex(8)
        most = allowance.at_once(kind)
        if not await self._store.take(pool, lease, most, self._lease):
            raise self._too_many(kind, most)
        renewal = asyncio.create_task(self._renew(pool, lease))
        try:
            yield partial(self.metered, consumer)
        finally:
            renewal.cancel()
            try:
                await asyncio.wait({renewal})
            finally:
                await self._store.give_back(pool, lease)

    async def check(self, consumer: Consumer, kind: LeaseClass) -> None:
        """Say before it begins that something cannot; `admit` has the last word.

        Raises:
            QuotaExceeded: The day's audio is used up.
            ConcurrencyLimited: As much as is allowed is under way.
        """
        allowance = consumer.quota.over(self._usual)
        await self._check_audio(consumer, allowance)
        most = allowance.at_once(kind)
        if await self._store.held(Pool(kind, consumer.credential)) >= most:
            raise self._too_many(kind, most)

    @asynccontextmanager
    async def metered(self, consumer: Consumer, seconds: Seconds) -> AsyncIterator[None]:
        """Charge so much audio; what fails inside costs nothing, and what is given up is paid for.

        A credential that has anything left may spend more than that once: the last one is not cut.

        Raises:
            QuotaExceeded: Others used up the day's audio meanwhile.
        """
        most = consumer.quota.over(self._usual).audio_seconds_per_day
        audio = self._today(consumer)
        if not await self._store.charge(audio, seconds, most):
            raise self._exceeded(most)
        try:
            yield
        except Exception:
            await self._store.charge(audio, -seconds, None)
            raise

    async def usage(self, consumer: Consumer) -> Usage:
        """Say what somebody uses, and may."""
        return Usage(
            consumer.quota.over(self._usual),
            await self._store.charged(self._today(consumer)),
            await self._store.held(Pool(LeaseClass.REQUESTS, consumer.credential)),
            await self._store.held(Pool(LeaseClass.STREAMS, consumer.credential)),
            self._tomorrow(),
        )

    async def _check_audio(self, consumer: Consumer, allowance: Allowance) -> None:
        most = allowance.audio_seconds_per_day
        if most is not None and await self._store.charged(self._today(consumer)) >= most:
            raise self._exceeded(most)

    async def _renew(self, pool: Pool, lease: str) -> None:
        while True:
            await asyncio.sleep(self._lease.total_seconds() / _RENEWALS)
            await self._store.renew(pool, lease, self._lease)

    def _exceeded(self, most: int | None) -> QuotaExceeded:
        self._refused(_AUDIO)
        left = math.ceil((self._tomorrow() - self._now()).total_seconds())
        return QuotaExceeded(
            f"The {most} seconds of audio of this day (UTC) are used up: try again tomorrow, or ask for a larger "
            "quota.",
            retry_after_seconds=max(1, left),
        )

    def _too_many(self, kind: LeaseClass, most: int) -> ConcurrencyLimited:
        self._refused(kind)
        return ConcurrencyLimited(
            f"{most} of your {kind} are under way, which is all you may have at once: try again when one has ended.",
            retry_after_seconds=_RETRY_SECONDS,
        )

    def _today(self, consumer: Consumer) -> AudioDay:
        return AudioDay(consumer.credential, self._now().astimezone(UTC).date())

    def _tomorrow(self) -> datetime:
        midnight = self._now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + timedelta(days=1)
