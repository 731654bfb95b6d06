"""The scheduler between coroutines and its thread: results, cancellation, draining, closing, stress."""

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from typing_extensions import override

from tests.support.decodings import Tokens, branching, decode_alone, failing, greedy
from tests.support.gate import Gate
from tests.support.observer import RecordingObserver
from tests.support.scripted_engine import Call, ScriptedEngine, numbered_window, scattered_logits
from whisper_inference.errors import EngineFailed, InvalidRequest, Overloaded, ShuttingDown
from whisper_inference.scheduler import Scheduler, SchedulerSettings, WindowWork

SCRIPT = scattered_logits(32)


@asynccontextmanager
async def running(
    engine: ScriptedEngine, settings: SchedulerSettings | None = None, observer: RecordingObserver | None = None
) -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(engine, observer or RecordingObserver(), settings)
    scheduler.start()
    try:
        yield scheduler
    finally:
        await asyncio.to_thread(scheduler.close)
        assert not engine.windows
        assert not engine.rows


def work(steps: int = 3, window: int = 1, deadline: float = 0.0) -> WindowWork[Tokens]:
    return WindowWork(numbered_window(window), greedy((1, 2), steps), deadline)


def expected(steps: int = 3, window: int = 1) -> Tokens:
    return decode_alone(SCRIPT, numbered_window(window), greedy((1, 2), steps))


async def closed_to_new_requests(scheduler: Scheduler) -> None:
    with suppress(ShuttingDown):
        while True:
            scheduler.admit(1.0).release()
            await asyncio.sleep(0.001)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 20))


def test_decode_returns_what_the_decoding_returns() -> None:
    async def test() -> None:
        async with running(ScriptedEngine()) as scheduler:
            assert await scheduler.decode(work()) == expected()

    run(test())


def test_the_event_loop_is_never_blocked_by_the_engine() -> None:
    async def test() -> None:
        gate = Gate("encode")
        async with running(ScriptedEngine(before=gate)) as scheduler:
            decoding = asyncio.create_task(scheduler.decode(work()))
            await gate.reached()  # would never return if the engine ran here
            gate.open()
            assert await decoding == expected()

    run(test())


def test_the_decodings_own_error_reaches_the_caller() -> None:
    async def test() -> None:
        async with running(ScriptedEngine()) as scheduler:
            with pytest.raises(ArithmeticError):
                await scheduler.decode(WindowWork(numbered_window(1), failing((1,), 2), 0.0))
            assert await scheduler.decode(work()) == expected()

    run(test())


def test_an_engine_failure_reaches_the_caller_and_the_next_request_works() -> None:
    async def test() -> None:
        def fail_once(call: Call) -> None:
            if call == "step":
                engine.before = None
                raise RuntimeError("the device is gone")

        engine = ScriptedEngine(before=fail_once)
        async with running(engine) as scheduler:
            with pytest.raises(EngineFailed):
                await scheduler.decode(work())
            assert await scheduler.decode(work()) == expected()
            assert not scheduler.stalled(time.monotonic())

    run(test())


def test_more_rows_than_the_engine_has_are_refused_at_once() -> None:
    async def test() -> None:
        async with running(ScriptedEngine(max_rows=2)) as scheduler:
            with pytest.raises(InvalidRequest, match="3 rows"):
                await scheduler.decode(WindowWork(numbered_window(1), branching((1,), 1, 3), 0.0, rows=3))

    run(test())


def test_a_cancelled_caller_frees_its_rows_within_a_step() -> None:
    async def test() -> None:
        gate = Gate("step")
        engine = ScriptedEngine(before=gate)
        async with running(engine) as scheduler:
            decoding = asyncio.create_task(scheduler.decode(work(steps=400)))
            await gate.reached()
            decoding.cancel()
            with pytest.raises(asyncio.CancelledError):
                await decoding
            gate.open()
            assert await scheduler.decode(work()) == expected()
        assert len(engine.steps) <= 1 + 3

    run(test())


def test_200_requests_from_many_tasks_get_their_own_results() -> None:
    async def test() -> None:
        chance = random.Random(3)  # noqa: S311 - a test's dice
        engine = ScriptedEngine(max_rows=8)

        async def client(number: int) -> None:
            await asyncio.sleep(chance.random() * 0.2)
            steps = chance.randrange(1, 12)
            call = scheduler.decode(work(steps, window=number % 7, deadline=chance.random()))
            if number % 5 == 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(call, chance.random() * 0.001)
            else:
                assert await call == expected(steps, number % 7)

        async with running(engine) as scheduler:
            await asyncio.gather(*(client(number) for number in range(200)))
        assert engine.most_rows <= 8
        assert max(engine.batch_sizes) > 1

    run(test())


def test_two_event_loops_may_share_a_scheduler() -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine, RecordingObserver())
    scheduler.start()
    results: list[Tokens] = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(asyncio.run(scheduler.decode(work(window=n)))))
        for n in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    scheduler.close()
    assert sorted(results) == sorted(expected(window=n) for n in range(2))


def test_overload_says_when_to_come_back_and_is_counted() -> None:
    async def test() -> None:
        observer = RecordingObserver()
        async with running(ScriptedEngine(), SchedulerSettings(max_backlog=60.0), observer) as scheduler:
            with scheduler.admit(60.0), pytest.raises(Overloaded) as refused:
                scheduler.admit(30.0)
            assert refused.value.retry_after_seconds == 30
            assert observer.overloads == 1
            assert scheduler.backlog_seconds == 0.0
            scheduler.admit(30.0).release()

    run(test())


def test_the_measured_real_time_factor_sets_the_retry_time() -> None:
    async def test() -> None:
        engine = ScriptedEngine(before=lambda call: time.sleep(0.05) if call == "encode" else None)
        async with running(engine, SchedulerSettings(max_backlog=600.0)) as scheduler:
            with scheduler.admit(600.0) as admission:
                await scheduler.decode(work())
                await scheduler.decode(work())  # by now the busy time of the first is counted
                admission.advance(1.0)
            assert 0.05 <= scheduler.real_time_factor < 0.9

    run(test())


def test_draining_refuses_new_requests_and_finishes_admitted_ones() -> None:
    async def test() -> None:
        gate = Gate("step")
        async with running(ScriptedEngine(before=gate)) as scheduler:
            admission = scheduler.admit(60.0)
            first = asyncio.create_task(scheduler.decode(work()))
            await gate.reached()
            draining = asyncio.create_task(scheduler.drain(10.0))
            await asyncio.sleep(0)
            with pytest.raises(ShuttingDown):
                scheduler.admit(1.0)
            gate.open()
            assert await first == expected()
            assert await scheduler.decode(work(window=2)) == expected(window=2)  # its second window
            assert not draining.done()
            admission.release()
            assert await draining
            with pytest.raises(ShuttingDown):
                await scheduler.decode(work())

    run(test())


def test_draining_waits_for_work_that_came_without_admission() -> None:
    async def test() -> None:
        gate = Gate("step")
        async with running(ScriptedEngine(before=gate)) as scheduler:
            decoding = asyncio.create_task(scheduler.decode(work()))
            await gate.reached()
            draining = asyncio.create_task(scheduler.drain(10.0))
            gate.open()
            assert await draining
            assert await decoding == expected()

    run(test())


def test_an_idle_scheduler_is_drained_at_once_and_twice() -> None:
    async def test() -> None:
        async with running(ScriptedEngine()) as scheduler:
            assert await scheduler.drain(0.5)
            assert await scheduler.drain(0.5)

    run(test())


def test_draining_gives_up_when_its_patience_ends() -> None:
    async def test() -> None:
        async with running(ScriptedEngine()) as scheduler:
            with scheduler.admit(30.0):
                assert not await scheduler.drain(0.01)

    run(test())


def test_closing_fails_what_is_left_and_may_be_repeated() -> None:
    async def test() -> None:
        gate = Gate("step")
        engine = ScriptedEngine(max_rows=1, before=gate)
        async with running(engine) as scheduler:
            calls = [asyncio.create_task(scheduler.decode(work(window=n))) for n in range(3)]
            await gate.reached()
            closing = asyncio.create_task(asyncio.to_thread(scheduler.close))
            await closed_to_new_requests(scheduler)
            gate.open()
            await closing
            for call in calls:
                with pytest.raises(ShuttingDown):
                    await call
            scheduler.close()
            with pytest.raises(ShuttingDown):
                await scheduler.decode(work())

    run(test())


def test_closing_leaves_an_engine_that_hangs_behind() -> None:
    async def test() -> None:
        gate = Gate("step")
        async with running(ScriptedEngine(before=gate)) as scheduler:
            decoding = asyncio.create_task(scheduler.decode(work()))
            await gate.reached()
            scheduler.close(0.01)
            with pytest.raises(ShuttingDown):
                await decoding
            gate.open()

    run(test())


def test_closing_before_the_start_fails_what_waits() -> None:
    async def test() -> None:
        scheduler = Scheduler(ScriptedEngine(), RecordingObserver())
        decoding = asyncio.create_task(scheduler.decode(work()))
        await asyncio.sleep(0)
        scheduler.close()
        with pytest.raises(ShuttingDown):
            await decoding

    run(test())


def test_a_defect_in_the_thread_fails_everything_instead_of_hanging() -> None:
    class Broken(RecordingObserver):
        @override
        def batch_stepped(self, rows: int, seconds: float) -> None:
            raise ZeroDivisionError((rows, seconds))

    async def test() -> None:
        async with running(ScriptedEngine(), observer=Broken()) as scheduler:
            with pytest.raises(EngineFailed):
                await scheduler.decode(work())
            assert scheduler.stalled(time.monotonic())
            with pytest.raises(EngineFailed):
                await scheduler.decode(work())

    run(test())


def test_a_hanging_engine_shows_as_stalled() -> None:
    async def test() -> None:
        gate = Gate("step")
        async with running(ScriptedEngine(before=gate), SchedulerSettings(patience=5.0)) as scheduler:
            decoding = asyncio.create_task(scheduler.decode(work()))
            await gate.reached()
            assert not scheduler.stalled(scheduler.last_progress + 4.9)
            assert scheduler.stalled(scheduler.last_progress + 5.1)
            gate.open()
            await decoding

    run(test())
