"""`MemoryQuotas`: what one process counts, gone with it."""

from collections import defaultdict
from datetime import timedelta

from whisper_inference.quotas.store import AudioDay, Pool
from whisper_inference.timing import Clock


class MemoryQuotas:
    """Counts in dictionaries; they hold credentials that are good, so strangers cannot fill them.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends: defaultdict[Pool, dict[str, float]] = defaultdict(dict)
        self._audio: dict[AudioDay, float] = {}

    async def take(self, pool: Pool, lease: str, most: int, lasting: timedelta) -> bool:
        """Take a lease unless `most` are held."""
        if await self.held(pool) >= most:
            return False
        await self.renew(pool, lease, lasting)
        return True

    async def renew(self, pool: Pool, lease: str, lasting: timedelta) -> None:
        """Hold a lease for longer."""
        self._ends[pool][lease] = self._clock() + lasting.total_seconds()

    async def give_back(self, pool: Pool, lease: str) -> None:
        """Hold a lease no more."""
        self._ends[pool].pop(lease, None)

    async def held(self, pool: Pool) -> int:
        """Return how many leases are held."""
        now, ends = self._clock(), self._ends[pool]
        for lease in [lease for lease, end in ends.items() if end <= now]:
            del ends[lease]
        return len(ends)

    async def charge(self, audio: AudioDay, seconds: float, most: float | None) -> bool:
        """Count so much audio unless `most` is reached already."""
        used = await self.charged(audio)
        if most is not None and used >= most:
            return False
        if audio not in self._audio:
            self._forget_before(audio)
        self._audio[audio] = used + seconds
        return True

    async def charged(self, audio: AudioDay) -> float:
        """Return how many seconds were counted."""
        return self._audio.get(audio, 0.0)

    def _forget_before(self, audio: AudioDay) -> None:
        """Keep the day before: what was charged shortly before midnight may still be taken back."""
        oldest = audio.day - timedelta(days=1)
        self._audio = {each: used for each, used in self._audio.items() if each.day >= oldest}
