"""Windows that all replicas count in: the limits library's, over the process's one way to Redis."""

from typing import Any, Final, NamedTuple

from limits import RateLimitItem
from limits.aio.storage import RedisStorage
from limits.aio.storage.redis.bridge import RedisBridge
from typing_extensions import override

from whisper_inference.sessions.redis_link import LAYOUT, RedisLink

_COUNT: Final = f"""
local function count()
{RedisBridge.SCRIPT_ACQUIRE_SLIDING_WINDOW.decode()}
end
local function look(ARGV)
{RedisBridge.SCRIPT_SLIDING_WINDOW.decode()}
end
return {{count() and 1 or 0, look({{ARGV[2]}})}}
"""
"""The library's two scripts in one: going to Redis costs more than all that is done there."""


class Window(NamedTuple):
    """What is counted of a sender in the window before and in this one, and for how many seconds each counts on."""

    before: int
    before_seconds: float
    now: int
    now_seconds: float


class SharedWindows(RedisStorage):
    """The library's storage, which knows Sentinel, Cluster and TLS by the link."""

    STORAGE_SCHEME = ["async+whisper"]  # noqa: RUF012 - the library's declaration

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        super().__init__("redis://", implementation="redispy", key_prefix=f"{LAYOUT}:limit")
        client: Any = link.client  # its types know no scripts
        self._count = client.register_script(_COUNT)

    @override
    def configure_bridge(self) -> None:
        bridge: Any = self.bridge  # the library's own makes a client here
        bridge.storage = self._link.client
        bridge.connection_getter = lambda _: self._link.client

    async def count(self, item: RateLimitItem, *who: str) -> tuple[bool, Window]:
        """Count a request if it is not one too many; say whether it was counted, and how its sender stands then."""
        key = item.key_for(*who)
        keys = [
            self.bridge.prefixed_key(each) for each in (self._previous_window_key(key), self._current_window_key(key))
        ]
        counted, (before, before_left, now, now_left) = await self._count(keys, [item.amount, item.get_expiry(), 1])
        window = Window(int(before or 0), max(0, before_left) / 1000, int(now or 0), max(0, now_left) / 1000)
        return bool(counted), window

    async def look(self, item: RateLimitItem, *who: str) -> Window:
        """Return how a sender stands."""
        return Window(*await self.get_sliding_window(item.key_for(*who), item.get_expiry()))
