"""`RedisQuotas`: what all replicas count together.

Keys are `whisper:1:{CREDENTIAL}:leases:CLASS`, a sorted set of leases by when they end, and
`whisper:1:{CREDENTIAL}:audio:DAY`, in milliseconds. The time is Redis' own, for clocks of replicas differ.
"""

from datetime import timedelta
from typing import Final

from whisper_inference.quotas.store import AudioDay, Pool
from whisper_inference.sessions.redis_link import LAYOUT, NOW, RedisLink, in_milliseconds

_HOLD: Final = """
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
"""
_TAKE: Final = f"""{NOW}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
{_HOLD}"""
_RENEW: Final = f"{NOW}{_HOLD}"
_HELD: Final = f"""{NOW}
return redis.call('ZCOUNT', KEYS[1], '(' .. now, '+inf')
"""
_CHARGE: Final = """
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
if ARGV[2] ~= '' and used >= tonumber(ARGV[2]) then return 0 end
redis.call('INCRBY', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""
_AUDIO_KEPT: Final = timedelta(days=2)
"""The day itself, and a while for what began before midnight."""


class RedisQuotas:
    """Counts in Redis or Valkey."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def take(self, pool: Pool, lease: str, most: int, lasting: timedelta) -> bool:
        """Take a lease unless `most` are held."""
        async with self._link.talking():
            return bool(await self._link.client.eval(_TAKE, 1, _leases(pool), lease, in_milliseconds(lasting), most))

    async def renew(self, pool: Pool, lease: str, lasting: timedelta) -> None:
        """Hold a lease for longer."""
        async with self._link.talking():
            await self._link.client.eval(_RENEW, 1, _leases(pool), lease, in_milliseconds(lasting))

    async def give_back(self, pool: Pool, lease: str) -> None:
        """Hold a lease no more."""
        async with self._link.talking():
            await self._link.client.zrem(_leases(pool), lease)

    async def held(self, pool: Pool) -> int:
        """Return how many leases are held."""
        async with self._link.talking():
            return int(await self._link.client.eval(_HELD, 1, _leases(pool)))

    async def charge(self, audio: AudioDay, seconds: float, most: float | None) -> bool:
        """Count so much audio unless `most` is reached already."""
        bound = "" if most is None else _thousands(most)
        arguments = (_thousands(seconds), bound, in_milliseconds(_AUDIO_KEPT))
        async with self._link.talking():
            return bool(await self._link.client.eval(_CHARGE, 1, _audio(audio), *arguments))

    async def charged(self, audio: AudioDay) -> float:
        """Return how many seconds were counted."""
        async with self._link.talking():
            return int(await self._link.client.get(_audio(audio)) or 0) / 1000


def _leases(pool: Pool) -> str:
    return f"{LAYOUT}:{{{pool.credential}}}:leases:{pool.kind}"


def _audio(audio: AudioDay) -> str:
    return f"{LAYOUT}:{{{audio.credential}}}:audio:{audio.day.isoformat()}"


def _thousands(seconds: float) -> int:
    return round(seconds * 1000)
