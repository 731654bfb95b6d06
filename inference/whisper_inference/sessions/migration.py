"""From the layout of keys before this one: a key is moved with what it holds and the end that it has.

Whoever changes the layout raises its number (`redis_link.LAYOUT`) and says here what becomes of the keys before. No
release had another layout than 1; layout 0 stands for builds before the first, with keys of the same shapes.

A key is moved, not copied: a server of the version before knows it no more, but no session that was ended at one server
goes on at another. Who ends all sessions of somebody meanwhile ends those that have been moved.
"""

from datetime import timedelta
from typing import Final

from redis.exceptions import ResponseError

from whisper_inference.sessions.redis_link import LAYOUT, RedisLink

PREVIOUS: Final = "whisper:0"

_ADD: Final = """
redis.call('SADD', KEYS[1], unpack(ARGV, 2))
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return 1
"""


async def move(link: RedisLink, key: str, retention: timedelta) -> None:
    """Move a key of the layout before; one of this layout that is there already is newer, and stays.

    In a cluster the two may lie on different servers, so nothing is renamed; who dies in between is repeated.

    Args:
        link: The way to Redis.
        key: Begins with `PREVIOUS`.
        retention: When a key ends that had no end.

    Raises:
        StoreUnavailable: Redis does not answer.
    """
    async with link.talking():
        left = int(await link.client.pttl(key))
        lasting = left if left > 0 else int(retention / timedelta(milliseconds=1))
        if await link.client.type(key) == b"set":
            # What they hold is names of keys.
            found = await link.client.smembers(key)
            members = [_now(each.decode()) for each in found if isinstance(each, bytes)]
            await link.client.eval(_ADD, 1, _now(key), lasting, *members)
        else:
            await _copy(link, key, lasting)
        await link.client.delete(key)


async def _copy(link: RedisLink, key: str, lasting: int) -> None:
    held = await link.client.dump(key)
    if held is None:
        return  # it has ended meanwhile
    try:
        await link.client.restore(_now(key), lasting, held)
    except ResponseError as problem:
        if "BUSYKEY" not in str(problem):
            raise


def _now(name: str) -> str:
    return f"{LAYOUT}{name.removeprefix(PREVIOUS)}" if name.startswith(f"{PREVIOUS}:") else name
