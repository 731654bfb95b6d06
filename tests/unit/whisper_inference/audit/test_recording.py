"""An act is written down at once in the log, and brought to each sink without holding anybody up."""

import asyncio
import io
import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from typing_extensions import override

from tests.support.audit import ANNA, NOON, Counts, ListSink, event
from tests.support.patience import until
from whisper_inference.audit import delivery as delivering
from whisper_inference.audit.delivery import MOST_AT_ONCE, MOST_WAITING, Delivery
from whisper_inference.audit.events import Action, AuditEvent, Details, Outcome
from whisper_inference.audit.recording import NOBODY, Act, Audit, Noted, RequestAudit, Sender
from whisper_inference.audit.sampling import MOST_FROM_STRANGERS
from whisper_inference.audit.sinks import SinkRefused
from whisper_inference.audit.trails import MemoryTrail
from whisper_inference.errors import Overloaded
from whisper_inference.observability.logs import LineFormatter
from whisper_inference.security.roles import Principal, Role

PRINCIPAL = Principal(ANNA.name, ANNA.role, ANNA.credential)


def clock() -> datetime:
    return NOON


class Desk:
    """A record with one sink."""

    def __init__(self) -> None:
        self.counts, self.sink = Counts(), ListSink()
        self.delivery = Delivery(self.sink, self.counts, first_pause_seconds=0.01)
        self.audit = Audit(MemoryTrail(clock, timedelta(hours=1)), [self.delivery], self.counts, clock, "pod-1")

    def request(self, principal: Principal | None = PRINCIPAL) -> RequestAudit:
        """A request's."""
        return RequestAudit(self.audit, "10.0.0.7", "c", principal)


def events_of(use: Callable[[Desk], None]) -> list[AuditEvent]:
    """What reaches the sink."""
    desk = Desk()

    async def whole() -> None:
        desk.audit.start()
        use(desk)
        await desk.audit.close(5)

    asyncio.run(whole())
    assert desk.sink.closed
    return desk.sink.events


def during(work: Callable[[Desk], Awaitable[None]]) -> Desk:
    """Use a desk on an event loop."""
    desk = Desk()
    asyncio.run(_awaited(work(desk)))
    return desk


async def _awaited(work: Awaitable[None]) -> None:
    await work


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the log says, as JSON."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter("json"))
    logging.getLogger("audit").addHandler(handler)
    yield stream
    logging.getLogger("audit").removeHandler(handler)


def test_a_block_that_ends_well_is_a_success_with_what_was_noted() -> None:
    def use(desk: Desk) -> None:
        with desk.request().watching(Action.TRANSCRIPTION) as act:
            act.note(model="demo")
            act.note(audio_seconds=5.0)

    (found,) = events_of(use)
    assert (found.action, found.outcome, found.actor) == (Action.TRANSCRIPTION, Outcome.SUCCESS, ANNA)
    assert (found.details.model, found.details.audio_seconds) == ("demo", 5.0)
    assert (found.address, found.correlation_id, found.time) == ("10.0.0.7", "c", NOON)


@pytest.mark.parametrize(
    ("problem", "outcome", "reason"),
    [
        (Overloaded("The queue is full.", retry_after_seconds=1), Outcome.FAILURE, "overloaded"),
        (ValueError("a defect"), Outcome.FAILURE, "internal_error"),
        (asyncio.CancelledError(), Outcome.UNKNOWN, None),
        (ConnectionError("the client has gone"), Outcome.UNKNOWN, None),
    ],
)
def test_a_block_that_is_left_by_an_error_says_which(
    problem: BaseException, outcome: Outcome, reason: str | None
) -> None:
    def use(desk: Desk) -> None:
        with suppress(type(problem)), desk.request().watching(Action.TRANSCRIPTION, ConnectionError):
            raise problem

    (found,) = events_of(use)
    assert (found.outcome, found.reason) == (outcome, reason)


def test_what_may_be_noted_is_what_has_a_field() -> None:
    assert Noted.__annotations__.keys() == Details.model_fields.keys()


def test_an_address_without_end_is_cut_and_written_down() -> None:
    (found,) = events_of(lambda desk: desk.audit.record(Act(Action.LOGIN), Sender(address="x" * 10_000)))
    assert found.address == "x" * 256


def test_the_log_has_each_event_at_once_in_the_schemas_fields(lines: io.StringIO) -> None:
    mail = Principal("anna@example.org", Role.ADMIN, "key:0123456789abcdef")
    desk = Desk()
    desk.request(mail).record(Action.LOGOUT)
    desk.request(None).record(Action.LOGIN, Outcome.FAILURE, "invalid_api_key")
    first, second = map(json.loads, lines.getvalue().splitlines())
    assert first["logger"] == "audit"
    assert first["message"] == "logout success by anna@example.org (admin, key:0123456789abcdef) from 10.0.0.7"
    assert first["user"]["name"] == "anna@example.org"
    assert (first["event"]["action"], first["level"]) == ("logout", "info")
    assert (second["event"]["reason"], second["level"]) == ("invalid_api_key", "warning")
    assert desk.counts.by["log", "delivered"] == 2


def test_strangers_cannot_flood_the_record() -> None:
    desk = Desk()
    for _ in range(50):
        desk.request(None).record(Action.RATE_LIMIT, Outcome.FAILURE, "rate_limit_exceeded")
    assert desk.counts.by == {("log", "delivered"): 1, ("all", "suppressed"): 49}
    for number in range(2 * MOST_FROM_STRANGERS):
        sender = Sender(address=f"10.0.{number // 256}.{number % 256}")
        desk.audit.record(Act(Action.LOGIN, Outcome.FAILURE, "invalid_api_key"), sender)
    assert desk.counts.by["log", "delivered"] == 1 + MOST_FROM_STRANGERS - 50
    desk.request().record(Action.LOGIN)
    assert desk.counts.by["log", "delivered"] == 2 + MOST_FROM_STRANGERS - 50


def test_the_server_itself_is_nobody() -> None:
    (found,) = events_of(lambda desk: desk.audit.record(Act(Action.CREDENTIALS_READ), NOBODY))
    assert (found.actor, found.address) == (None, None)


def test_what_a_sink_that_is_away_was_sent_arrives_when_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    async def work(desk: Desk) -> None:
        desk.sink.away = True
        desk.audit.start()
        for _ in range(2 * MOST_AT_ONCE):
            desk.request().record(Action.LOGOUT)
        await until(lambda: desk.sink.attempts >= 3)
        desk.sink.away = False
        await desk.audit.close(5)

    with caplog.at_level(logging.INFO, delivering.__name__):
        desk = during(work)
    assert len({each.id for each in desk.sink.events}) == 2 * MOST_AT_ONCE
    assert [each.id for each in desk.sink.events] == [each.id for each in desk.sink.events]
    said = [record.getMessage() for record in caplog.records if record.name == delivering.__name__]
    assert said == [
        "Audit events cannot be delivered to list: SinkUnavailable; they wait",
        "Audit events are delivered to list again; 0 were lost",
    ]
    assert desk.counts.by["list", "delivered"] == 2 * MOST_AT_ONCE


def test_a_queue_that_is_full_loses_events_and_counts_them(caplog: pytest.LogCaptureFixture) -> None:
    async def work(desk: Desk) -> None:
        desk.sink.away = True
        for _ in range(MOST_WAITING + 7):
            desk.delivery.offer(event())
        desk.delivery.start()
        await until(lambda: desk.sink.attempts > 0)
        await desk.delivery.close(0.01)

    desk = during(work)
    assert desk.counts.by == {("list", "dropped"): MOST_WAITING + 7}
    assert f"{MOST_WAITING} audit events were not delivered to list before the end" in caplog.text


def test_what_a_sink_refuses_is_counted_and_holds_up_nothing() -> None:
    class Picky(ListSink):
        """Refuses the first batch."""

        @override
        async def send(self, events: Sequence[AuditEvent]) -> None:
            if not self.attempts:
                self.attempts += 1
                raise SinkRefused("it answered 400")
            await super().send(events)

    async def work() -> None:
        counts, sink = Counts(), Picky()
        delivery = Delivery(sink, counts)
        delivery.start()
        delivery.offer(event())
        await until(lambda: sink.attempts == 1)
        delivery.offer(event())
        await delivery.close(5)
        assert counts.by == {("list", "refused"): 1, ("list", "delivered"): 1}

    asyncio.run(work())


def test_an_event_of_another_thread_is_delivered() -> None:
    async def work(desk: Desk) -> None:
        desk.audit.start()
        await asyncio.to_thread(desk.request().record, Action.LOGOUT)
        await until(lambda: len(desk.sink.events) == 1)
        await desk.audit.close(5)

    during(work)


def test_an_event_after_the_end_harms_nobody() -> None:
    desk = during(_opened_and_closed)
    desk.request().record(Action.LOGOUT)


async def _opened_and_closed(desk: Desk) -> None:
    desk.audit.start()
    await desk.audit.close(5)
