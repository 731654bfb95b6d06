"""What a credential may use: leases and audio, against a clock that the test moves."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.clock import FakeClock
from whisper_inference.errors import ConcurrencyLimited, EngineFailed, QuotaExceeded
from whisper_inference.quotas.memory import MemoryQuotas
from whisper_inference.quotas.meter import Meter
from whisper_inference.quotas.quota import Allowance, Consumer, Quota
from whisper_inference.quotas.store import AudioDay, LeaseClass

EVENING = datetime(2026, 11, 24, 23, 0, 0, tzinfo=UTC)
ANNA = Consumer("account:anna")
REQUESTS = LeaseClass.REQUESTS


class Counter:
    """A meter, and the time that it is told."""

    def __init__(self, lease: timedelta = timedelta(seconds=30)) -> None:
        self.clock = FakeClock(0.0)
        self.store = MemoryQuotas(self.clock)
        self.refusals: list[str] = []
        refused = self.refusals.append
        self.meter = Meter(Allowance(10, 2, 1), self.store, self.now, lease=lease, refused=refused)

    def now(self) -> datetime:
        """Return the time."""
        return EVENING + timedelta(seconds=self.clock())

    async def send(self, seconds: float, consumer: Consumer = ANNA) -> None:
        """Send so much audio, and get its transcript."""
        async with self.meter.admit(consumer, REQUESTS) as metered, metered(seconds):
            pass

    async def fail(self, seconds: float, after: float = 0) -> None:
        """Send so much audio, whose transcript fails after a while."""
        async with self.meter.admit(ANNA, REQUESTS) as metered, metered(seconds):
            self.clock.advance(after)
            raise EngineFailed("Lost.")

    async def used(self, consumer: Consumer = ANNA) -> float:
        """Return how much audio was charged today."""
        return (await self.meter.usage(consumer)).audio_seconds


def run(counter: Counter, work: Callable[[Counter], Awaitable[None]]) -> None:
    async def whole() -> None:
        await work(counter)

    asyncio.run(whole())


def test_a_request_holds_a_lease_until_it_ends_however_it_ends() -> None:
    async def work(counter: Counter) -> None:
        async with counter.meter.admit(ANNA, REQUESTS):
            async with counter.meter.admit(ANNA, REQUESTS):
                assert (await counter.meter.usage(ANNA)).requests == 2
                with pytest.raises(ConcurrencyLimited, match="2 of your requests") as refused:
                    await counter.send(1)
                assert refused.value.retry_after_seconds >= 1
                await counter.send(1, Consumer("key:other"))
            with pytest.raises(EngineFailed):
                await counter.fail(1)
            await counter.send(1)
        assert (await counter.meter.usage(ANNA)).requests == 0
        assert counter.refusals == ["requests"]

    run(Counter(), work)


def test_streams_and_requests_are_counted_apart() -> None:
    async def work(counter: Counter) -> None:
        meter = counter.meter
        async with meter.admit(ANNA, LeaseClass.STREAMS):
            with pytest.raises(ConcurrencyLimited, match="1 of your streams"):
                await meter.check(ANNA, LeaseClass.STREAMS)
            with pytest.raises(ConcurrencyLimited, match="1 of your streams"):
                async with meter.admit(ANNA, LeaseClass.STREAMS):
                    pass
            await meter.check(ANNA, REQUESTS)
            await counter.send(1)
            usage = await meter.usage(ANNA)
            assert (usage.streams, usage.requests) == (1, 0)
        await meter.check(ANNA, LeaseClass.STREAMS)
        assert counter.refusals == ["streams", "streams"]

    run(Counter(), work)


def test_a_lease_is_renewed_while_its_request_lasts() -> None:
    async def work(counter: Counter) -> None:
        async with counter.meter.admit(ANNA, REQUESTS):
            for _ in range(5):
                counter.clock.advance(0.02)
                await asyncio.sleep(0.02)
            assert (await counter.meter.usage(ANNA)).requests == 1

    run(Counter(lease=timedelta(seconds=0.03)), work)


def test_a_day_s_audio_is_overshot_once_and_comes_back_at_midnight_utc() -> None:
    async def work(counter: Counter) -> None:
        await counter.send(9)
        await counter.send(300)
        with pytest.raises(QuotaExceeded, match="10 seconds of audio of this day") as refused:
            await counter.send(1)
        assert refused.value.retry_after_seconds == 3600
        counter.clock.advance(3599.5)
        with pytest.raises(QuotaExceeded) as refused:
            await counter.send(1)
        assert refused.value.retry_after_seconds == 1
        counter.clock.advance(0.5)
        await counter.send(1)
        assert await counter.used() == 1
        assert counter.refusals == ["audio", "audio"]

    run(Counter(), work)


def test_of_two_requests_at_once_the_later_one_is_refused_when_the_first_has_used_all() -> None:
    async def work(counter: Counter) -> None:
        meter = counter.meter
        async with meter.admit(ANNA, REQUESTS) as first, meter.admit(ANNA, REQUESTS) as second, first(11):
            with pytest.raises(QuotaExceeded):
                async with second(1):
                    pass
        assert await counter.used() == 11

    run(Counter(), work)


def test_what_fails_costs_nothing_also_after_midnight_and_what_is_given_up_is_paid() -> None:
    async def work(counter: Counter) -> None:
        before = AudioDay(ANNA.credential, EVENING.date())

        async def transcript() -> AsyncGenerator[str, None]:
            async with counter.meter.metered(ANNA, 4):
                yield "first segment"
                yield "second segment"

        async with aclosing(transcript()) as items:
            await anext(items)
        assert await counter.used() == 4
        with pytest.raises(EngineFailed):
            await counter.fail(5, after=3601)
        assert await counter.used() == 0
        assert await counter.store.charged(before) == 4

    run(Counter(), work)


def test_a_credential_s_own_quota_comes_before_the_usual_one() -> None:
    async def work(counter: Counter) -> None:
        most = Consumer("key:1", Quota(audio_seconds_per_day="unlimited", concurrent_requests=3))
        least = Consumer("key:2", Quota(audio_seconds_per_day=1, concurrent_streams=5))
        await counter.send(1000, most)
        await counter.send(1000, most)
        await counter.send(1, least)
        with pytest.raises(QuotaExceeded):
            await counter.send(1, least)
        assert (await counter.meter.usage(most)).allowance == Allowance(None, 3, 1)
        assert (await counter.meter.usage(least)).allowance == Allowance(1, 2, 5)

    run(Counter(), work)


def test_days_that_are_over_are_forgotten() -> None:
    async def work(counter: Counter) -> None:
        for _ in range(5):
            await counter.send(3)
            counter.clock.advance(86_400)
        today = counter.now().date()
        days = [AudioDay(ANNA.credential, today - timedelta(days=ago)) for ago in range(1, 6)]
        assert [await counter.store.charged(day) for day in days] == [3, 3, 0, 0, 0]

    run(Counter(), work)
