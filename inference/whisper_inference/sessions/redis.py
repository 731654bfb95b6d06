"""`RedisStore`: sessions that every replica sees.

Keys are `whisper:1:{OWNER}:session:ID`: the number is the layout's version, and all keys of an owner have one hash tag,
so that they lie in one slot of a cluster and one script may touch them
(https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags).
"""

from datetime import timedelta
from typing import Final

from whisper_inference.sessions.redis_link import LAYOUT, RedisLink, in_milliseconds
from whisper_inference.sessions.store import SessionId, StoredSession

_COUNT: Final = """
local counted = redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return counted
"""
_CREATE: Final = """
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SADD', KEYS[2], KEYS[1])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[2], ARGV[3]) end
return 1
"""
_ALL: Final = """
local found = {}
for _, key in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local value = redis.call('GET', key)
  if value then
    table.insert(found, {key, value, redis.call('PTTL', key)})
  else
    redis.call('SREM', KEYS[1], key)
  end
end
return found
"""
_DELETE: Final = """
redis.call('SREM', KEYS[2], KEYS[1])
return redis.call('DEL', KEYS[1])
"""
_DELETE_ALL: Final = """
local keys = redis.call('SMEMBERS', KEYS[1])
local gone = 0
for _, key in ipairs(keys) do gone = gone + redis.call('DEL', key) end
redis.call('DEL', KEYS[1])
return gone
"""


class RedisStore:
    """Keeps sessions in Redis or Valkey."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def create(self, key: SessionId, value: bytes, idle: timedelta, absolute: timedelta) -> None:
        """Keep a session."""
        arguments = (value, in_milliseconds(min(idle, absolute)), in_milliseconds(absolute))
        async with self._link.talking():
            await self._link.client.eval(_CREATE, 2, _session(key), _sessions(key.owner), *arguments)

    async def read(self, key: SessionId, idle: timedelta) -> bytes | None:
        """Return a session, and keep it for longer."""
        async with self._link.talking():
            value = await self._link.client.getex(_session(key), px=in_milliseconds(idle))
        return value if isinstance(value, bytes) else None

    async def all_of(self, owner: str) -> list[StoredSession]:
        """Return an owner's sessions."""
        async with self._link.talking():
            found = await self._link.client.eval(_ALL, 1, _sessions(owner))
        return [
            StoredSession(SessionId(owner, key.decode().rpartition(":")[2]), value, timedelta(milliseconds=left))
            for key, value, left in found
        ]

    async def delete(self, key: SessionId) -> bool:
        """Forget a session; say whether it was there."""
        async with self._link.talking():
            return bool(await self._link.client.eval(_DELETE, 2, _session(key), _sessions(key.owner)))

    async def delete_all(self, owner: str) -> int:
        """Forget all of an owner's sessions."""
        async with self._link.talking():
            return int(await self._link.client.eval(_DELETE_ALL, 1, _sessions(owner)))

    async def count(self, name: str, lasting: timedelta) -> int:
        """Count one more of something."""
        async with self._link.talking():
            return int(await self._link.client.eval(_COUNT, 1, f"{LAYOUT}:count:{name}", in_milliseconds(lasting)))

    async def hold(self, name: str, lasting: timedelta) -> None:
        """Remember a name for a while."""
        async with self._link.talking():
            await self._link.client.set(f"{LAYOUT}:hold:{name}", b"", px=in_milliseconds(lasting))

    async def held_for(self, name: str) -> timedelta | None:
        """Return for how much longer a name is remembered."""
        async with self._link.talking():
            left = int(await self._link.client.pttl(f"{LAYOUT}:hold:{name}"))
        return timedelta(milliseconds=left) if left > 0 else None

    async def forget(self, name: str) -> None:
        """Forget a name and its count."""
        async with self._link.talking():
            await self._link.client.delete(f"{LAYOUT}:hold:{name}")
            await self._link.client.delete(f"{LAYOUT}:count:{name}")

    async def close(self) -> None:
        """Let its connections go."""
        await self._link.close()


def _session(key: SessionId) -> str:
    return f"{LAYOUT}:{{{key.owner}}}:session:{key.identity}"


def _sessions(owner: str) -> str:
    return f"{LAYOUT}:{{{owner}}}:sessions"
