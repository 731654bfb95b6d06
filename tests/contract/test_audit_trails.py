"""One contract for every trail: memory, a Redis, a cluster of them, and one behind Sentinel."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

import pytest

from tests.support.audit import ANNA, Counts, event
from tests.support.patience import eventually
from tests.support.redis_server import redis_server
from whisper_inference.audit import trails
from whisper_inference.audit.delivery import Delivery
from whisper_inference.audit.events import Action, AuditEvent, AuditPage, AuditQuery, Outcome
from whisper_inference.audit.sinks import AuditTrail
from whisper_inference.audit.trails import MemoryTrail, RedisTrail
from whisper_inference.errors import StoreUnavailable
from whisper_inference.security.roles import Role
from whisper_inference.sessions.availability import Availability
from whisper_inference.sessions.redis_address import connect
from whisper_inference.sessions.redis_link import RedisLink

ResultT = TypeVar("ResultT")
HOUR: Final = timedelta(hours=1)
BERT: Final = ANNA.model_copy(update={"name": "bert", "role": Role.ADMIN})
NOW: Final = datetime.now(UTC).replace(microsecond=0)


def make_link(address: str) -> RedisLink:
    return RedisLink(connect(address), Availability(time.monotonic, lambda _: None))


def use(
    address: str | None,
    work: Callable[[AuditTrail], Awaitable[ResultT]],
    retention: timedelta = HOUR,
    clock: Callable[[], datetime] = lambda: NOW,
) -> ResultT:
    """Open an empty trail, use it, and close it."""

    async def whole() -> ResultT:
        if address is None:
            return await work(MemoryTrail(clock, retention))
        link = make_link(address)
        async with link.talking():
            await link.client.delete(trails.KEY)
        try:
            return await work(RedisTrail(link, clock, retention))
        finally:
            await link.close()

    return asyncio.run(whole())


def at(seconds: float, action: Action = Action.LOGIN, outcome: Outcome = Outcome.SUCCESS) -> AuditEvent:
    return event(action, outcome, ANNA, seconds, NOW)


def ids(page: AuditPage) -> list[str]:
    return [each.id for each in page.events]


def test_events_come_back_whole_and_the_newest_first(address: str | None) -> None:
    events = [at(-number) for number in range(5)]

    async def work(trail: AuditTrail) -> None:
        await trail.send(events[2:])
        await trail.send(events[:2])  # late: another replica was slower
        assert (await trail.query(AuditQuery())).events == tuple(events)

    use(address, work)


def test_pages_follow_one_another_without_gaps_also_within_one_millisecond(address: str | None) -> None:
    events = [at(-(number // 4)) for number in range(23)]

    async def work(trail: AuditTrail) -> None:
        await trail.send(events)
        seen: list[str] = []
        cursor: str | None = None
        for _ in range(10):
            page = await trail.query(AuditQuery(limit=5, cursor=cursor))
            seen += ids(page)
            cursor = page.next
            if cursor is None:
                break
        assert seen == sorted((each.id for each in events), reverse=True)

    use(address, work)


def test_a_query_finds_by_time_action_name_and_outcome(address: str | None) -> None:
    wanted = at(-10, Action.TRANSCRIPTION, Outcome.FAILURE)
    others = [at(-10), at(-10, Action.TRANSCRIPTION), wanted.model_copy(update={"actor": BERT, "id": "0" * 32})]
    others += [at(-20, Action.TRANSCRIPTION, Outcome.FAILURE), at(0, Action.TRANSCRIPTION, Outcome.FAILURE)]

    async def work(trail: AuditTrail) -> None:
        await trail.send([*others, wanted])
        query = AuditQuery(
            since=NOW - timedelta(seconds=15),
            until=NOW - timedelta(seconds=5),
            action=Action.TRANSCRIPTION,
            actor="anna",
            outcome=Outcome.FAILURE,
        )
        assert (await trail.query(query)).events == (wanted,)

    use(address, work)


def test_an_event_that_is_delivered_twice_is_kept_once(address: str | None) -> None:
    async def work(trail: AuditTrail) -> None:
        one, two = at(-1), at(0)
        await trail.send([one])
        await trail.send([one, two])
        assert ids(await trail.query(AuditQuery())) == [two.id, one.id]

    use(address, work)


def test_what_is_older_than_the_retention_is_gone(address: str | None) -> None:
    now = NOW

    async def work(trail: AuditTrail) -> None:
        nonlocal now
        await trail.send([at(-7200), at(-10)])
        assert len((await trail.query(AuditQuery())).events) == 1
        now += HOUR
        assert not (await trail.query(AuditQuery())).events
        await trail.send([at(3600)])
        assert len((await trail.query(AuditQuery(since=NOW - 9 * HOUR))).events) == 1

    use(address, work, clock=lambda: now)


def test_a_page_that_looked_at_enough_says_where_to_go_on(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trails, "_CHUNK", 4)
    monkeypatch.setattr(trails, "_MOST_LOOKED_AT", 8)
    rare = at(-60, Action.LOGOUT)

    async def work(trail: AuditTrail) -> None:
        await trail.send([rare, *(at(-number) for number in range(20))])
        cursor, found = None, []
        for _ in range(10):
            page = await trail.query(AuditQuery(action=Action.LOGOUT, cursor=cursor))
            found += ids(page)
            cursor = page.next
            if cursor is None:
                break
        assert found == [rare.id]

    use(address, work)


def test_only_so_many_are_kept_and_the_key_itself_ends(tmp_path: Path) -> None:
    async def work() -> None:
        link = make_link(server.address)
        trail = RedisTrail(link, lambda: NOW, HOUR, most=3)
        events = [at(number) for number in range(5)]
        await trail.send(events)
        assert ids(await trail.query(AuditQuery())) == [each.id for each in reversed(events[2:])]
        await link.close()

    with redis_server(tmp_path) as server:
        asyncio.run(work())
        assert 0 < server.client.pttl(trails.KEY) <= HOUR.total_seconds() * 1000
        assert server.client.zcard(trails.KEY) == 3


def test_what_another_version_wrote_is_passed_over(tmp_path: Path) -> None:
    async def work() -> tuple[AuditEvent, ...]:
        link = make_link(server.address)
        trail = RedisTrail(link, lambda: NOW, HOUR)
        await trail.send([at(0)])
        async with link.talking():
            newer = at(1).id + '{"action": "unheard-of"}'
            await link.client.zadd(trails.KEY, {newer: NOW.timestamp() * 1000})
        found = (await trail.query(AuditQuery())).events
        await link.close()
        return found

    with redis_server(tmp_path) as server:
        assert len(asyncio.run(work())) == 1


def test_events_of_the_time_in_which_redis_was_away_arrive_when_it_is_back(tmp_path: Path) -> None:
    async def work() -> None:
        link = make_link(server.address)
        trail, counts = RedisTrail(link, lambda: NOW, HOUR), Counts()
        delivery = Delivery(trail, counts, first_pause_seconds=0.05)
        delivery.start()
        server.stop()
        for number in range(5):
            delivery.offer(at(number))
        with pytest.raises(StoreUnavailable):
            await trail.query(AuditQuery())
        await asyncio.to_thread(server.start)
        await delivery.close(20)
        assert counts.by == {("store", "delivered"): 5}
        await link.close()

    with redis_server(tmp_path) as server:
        asyncio.run(work())
        eventually(lambda: server.client.zcard(trails.KEY) == 5)
