"""`SurvivingQuotas`: all replicas together, and each for itself while Redis is away."""

from collections import defaultdict
from contextlib import suppress
from datetime import timedelta

from whisper_inference.errors import StoreUnavailable
from whisper_inference.quotas.store import AudioDay, Pool, QuotaStore


class SurvivingQuotas:
    """Asks what all share; knows besides what this process holds and has used, and goes on with that.

    Args:
        shared: Whose answer counts while there is one.
        local: This process's own.
    """

    def __init__(self, shared: QuotaStore, local: QuotaStore) -> None:
        self._shared, self._local = shared, local
        self._owed: defaultdict[AudioDay, float] = defaultdict(float)
        """Charged while nobody answered: told when somebody does."""

    async def take(self, pool: Pool, lease: str, most: int, lasting: timedelta) -> bool:
        """Take a lease unless `most` are held."""
        try:
            taken = await self._shared.take(pool, lease, most, lasting)
        except StoreUnavailable:
            return await self._local.take(pool, lease, most, lasting)
        if taken:
            await self._local.renew(pool, lease, lasting)
        return taken

    async def renew(self, pool: Pool, lease: str, lasting: timedelta) -> None:
        """Hold a lease for longer."""
        await self._local.renew(pool, lease, lasting)
        with suppress(StoreUnavailable):
            await self._shared.renew(pool, lease, lasting)

    async def give_back(self, pool: Pool, lease: str) -> None:
        """Hold a lease no more; what Redis does not hear of ends there by itself."""
        await self._local.give_back(pool, lease)
        with suppress(StoreUnavailable):
            await self._shared.give_back(pool, lease)

    async def held(self, pool: Pool) -> int:
        """Return how many leases are held."""
        try:
            return await self._shared.held(pool)
        except StoreUnavailable:
            return await self._local.held(pool)

    async def charge(self, audio: AudioDay, seconds: float, most: float | None) -> bool:
        """Count so much audio unless `most` is reached already."""
        try:
            await self._settle(audio)
            counted = await self._shared.charge(audio, seconds, most)
        except StoreUnavailable:
            counted = await self._local.charge(audio, seconds, most)
            self._owed[audio] += seconds if counted else 0
            return counted
        if counted:
            await self._local.charge(audio, seconds, None)
        return counted

    async def charged(self, audio: AudioDay) -> float:
        """Return how many seconds were counted."""
        try:
            await self._settle(audio)
            return await self._shared.charged(audio)
        except StoreUnavailable:
            return await self._local.charged(audio)

    async def _settle(self, audio: AudioDay) -> None:
        owed = self._owed.pop(audio, None)
        if owed is None:
            return
        try:
            await self._shared.charge(audio, owed, None)
        except StoreUnavailable:
            self._owed[audio] += owed
            raise
