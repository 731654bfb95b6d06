"""`RedisStreams`: streams that any replica can go on with.

Keys are `whisper:1:{OWNER}:stream:ID`, a hash of the state, its epoch and where its sound ends, and `…:sound`, a string
that grows; one hash tag keeps both in one slot of a cluster.
"""

from datetime import timedelta
from typing import Final

from whisper_inference.sessions.redis_link import LAYOUT, RedisLink, in_milliseconds
from whisper_inference.sessions.store import SessionId
from whisper_inference.streaming.store import KeptSound, KeptStream

_EXPIRE: Final = "for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[1]) end"
_KEEP: Final = f"""
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and epoch ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'state', ARGV[3], 'place', ARGV[4])
redis.call('SET', KEYS[2], ARGV[5])
{_EXPIRE}
return 1
"""
_APPEND: Final = f"""
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'place', ARGV[3])
redis.call('APPEND', KEYS[2], ARGV[4])
{_EXPIRE}
return 1
"""
_TAKE: Final = f"""
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return false end
local epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
{_EXPIRE}
return {{state, redis.call('GET', KEYS[2]) or '', epoch, redis.call('HGET', KEYS[1], 'place') or ''}}
"""


class RedisStreams:
    """Keeps streams in Redis or Valkey."""

    shared = True

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def keep(self, key: SessionId, epoch: int, state: bytes, sound: KeptSound, lasting: timedelta) -> bool:
        """Keep a stream."""
        async with self._link.talking():
            arguments = (in_milliseconds(lasting), epoch, state, sound.place, sound.samples)
            kept = await self._link.client.eval(_KEEP, 2, *_keys(key), *arguments)
        return bool(kept)

    async def append(self, key: SessionId, epoch: int, sound: KeptSound, lasting: timedelta) -> bool:
        """Keep more sound."""
        async with self._link.talking():
            arguments = (in_milliseconds(lasting), epoch, sound.place, sound.samples)
            kept = await self._link.client.eval(_APPEND, 2, *_keys(key), *arguments)
        return bool(kept)

    async def take(self, key: SessionId, lasting: timedelta) -> KeptStream | None:
        """Take a stream over."""
        async with self._link.talking():
            found = await self._link.client.eval(_TAKE, 2, *_keys(key), in_milliseconds(lasting))
        if found is None:
            return None
        state, samples, epoch, place = found
        return KeptStream(bytes(state), KeptSound(bytes(samples), bytes(place)), int(epoch))

    async def forget(self, key: SessionId) -> None:
        """Forget a stream."""
        async with self._link.talking():
            for each in _keys(key):
                await self._link.client.delete(each)


def _keys(key: SessionId) -> tuple[str, str]:
    name = f"{LAYOUT}:{{{key.owner}}}:stream:{key.identity}"
    return name, f"{name}:sound"
