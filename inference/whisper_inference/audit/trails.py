"""Where audit events are kept to be asked for: in this process, or in the Redis that all replicas share.

In Redis they are one sorted set, by time; a member begins with the event's id, so that one that is delivered twice is
kept once, and ids order those of one millisecond. What is too old, or too many, goes whenever something comes, and the
key itself ends with the last event.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError

from whisper_inference.audit.events import AuditEvent, AuditPage, AuditQuery, milliseconds, time_of
from whisper_inference.sessions.redis_link import LAYOUT, RedisLink, in_milliseconds

MOST_EVENTS: Final = 50_000
"""That are kept in Redis, about half a kilobyte each: the oldest go first."""
MOST_EVENTS_IN_MEMORY: Final = 10_000
KEY: Final = f"{LAYOUT}:audit"
_CHUNK: Final = 500
_MOST_LOOKED_AT: Final = 5_000
"""For one page: whoever asks for what is rare gets a short page and goes on."""

_WRITE: Final = """
for i = 4, #ARGV, 2 do redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -(tonumber(ARGV[2]) + 1))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""


class MemoryTrail:
    """Keeps the last events of this process.

    Args:
        clock: The time, with its zone.
        retention: For how long.
    """

    name = "store"

    def __init__(self, clock: Callable[[], datetime], retention: timedelta) -> None:
        self._clock, self._retention = clock, retention
        self._events: deque[AuditEvent] = deque(maxlen=MOST_EVENTS_IN_MEMORY)

    async def send(self, events: Sequence[AuditEvent]) -> None:
        """Keep events."""
        known = {event.id for event in self._events}
        self._events.extend(event for event in events if event.id not in known)
        self._forget()

    async def query(self, query: AuditQuery) -> AuditPage:
        """Find events."""
        self._forget()
        newest_first = sorted(self._events, key=lambda event: event.id, reverse=True)
        found = [event for event in newest_first if query.matches(event)]
        page = tuple(found[: query.limit])
        return AuditPage(events=page, next=page[-1].id if len(found) > len(page) else None)

    async def close(self) -> None:
        """Nothing is open."""

    def _forget(self) -> None:
        oldest = self._clock() - self._retention
        while self._events and self._events[0].time < oldest:
            self._events.popleft()


class RedisTrail:
    """Keeps the events of all replicas.

    Args:
        link: The way to Redis; it is closed by whoever opened it.
        clock: The time, with its zone.
        retention: For how long.
        most: How many.
    """

    name = "store"

    def __init__(
        self, link: RedisLink, clock: Callable[[], datetime], retention: timedelta, most: int = MOST_EVENTS
    ) -> None:
        self._link, self._clock, self._retention, self._most = link, clock, retention, most

    async def send(self, events: Sequence[AuditEvent]) -> None:
        """Keep events."""
        members = [part for event in events for part in (event.milliseconds, _member(event))]
        lasting = in_milliseconds(self._retention)
        async with self._link.talking():
            await self._link.client.eval(_WRITE, 1, KEY, self._oldest(), self._most, lasting, *members)

    async def query(self, query: AuditQuery) -> AuditPage:
        """Find events."""
        found: list[AuditEvent] = []
        last: str | None = None
        for offset in range(0, _MOST_LOOKED_AT, _CHUNK):
            members = await self._read(query, offset)
            for member in members:
                last = member[:32].decode()
                found += [event for event in _event(member) if query.matches(event)]
                if len(found) == query.limit:
                    return AuditPage(events=tuple(found), next=last)
            if len(members) < _CHUNK:
                return AuditPage(events=tuple(found))
        return AuditPage(events=tuple(found), next=last)

    async def close(self) -> None:
        """Whoever opened the link closes it."""

    async def _read(self, query: AuditQuery, offset: int) -> Sequence[bytes]:
        latest = [milliseconds(time) for time in (query.until, query.cursor and time_of(query.cursor)) if time]
        earliest = max(self._oldest(), milliseconds(query.since) if query.since else 0)
        newest = min(latest, default="+inf")
        async with self._link.talking():
            # Its types know answers of every shape, and ours are bytes.
            members: Any = await self._link.client.zrange(
                KEY, newest, earliest, desc=True, byscore=True, offset=offset, num=_CHUNK
            )
        return list(members)

    def _oldest(self) -> int:
        return milliseconds(self._clock() - self._retention)


def _member(event: AuditEvent) -> str:
    return event.id + event.model_dump_json(exclude_defaults=True)


def _event(member: bytes) -> Iterable[AuditEvent]:
    try:
        return (AuditEvent.model_validate_json(member[32:]),)
    except ValidationError:
        return ()  # of a version that wrote it otherwise
