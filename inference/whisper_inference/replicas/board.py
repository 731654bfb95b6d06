"""`Board`: where the replicas of a group read of one another, in Redis; who falls silent is gone from it soon."""

from datetime import timedelta
from typing import Final

from whisper_inference.sessions.redis_link import LAYOUT, RedisLink, in_milliseconds

_EXCHANGE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%d %s', now + ARGV[3], ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local live, all = {}, redis.call('HGETALL', KEYS[1])
for index = 1, #all, 2 do
  local ends, notice = string.match(all[index + 1], '^(%d+) (.*)$')
  if ends and tonumber(ends) > now then
    if all[index] ~= ARGV[1] then live[#live + 1] = notice end
  else
    redis.call('HDEL', KEYS[1], all[index])
  end
end
return live
"""
"""Put up a notice, take down those that have ended by the server's own clock, return the others'."""


class Board:
    """One hash for each group, `whisper:1:{GROUP}:replicas`."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def exchange(self, group: str, name: str, notice: bytes, lasting: timedelta) -> list[bytes]:
        """Put up a replica's notice for a while, and return those of all others.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        async with self._link.talking():
            found = await self._link.client.eval(_EXCHANGE, 1, _key(group), name, notice, in_milliseconds(lasting))
        return [each for each in found if isinstance(each, bytes)]

    async def withdraw(self, group: str, name: str) -> None:
        """Take a replica's notice down.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        async with self._link.talking():
            await self._link.client.hdel(_key(group), name)


def _key(group: str) -> str:
    return f"{LAYOUT}:{{{group}}}:replicas"
