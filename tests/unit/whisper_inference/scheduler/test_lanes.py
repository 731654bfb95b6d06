"""Streams go before files, which still have their turn; both share batches, and what each costs is known."""

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clock import FakeClock
from tests.support.decodings import Tokens, branching, greedy
from tests.support.observer import RecordingObserver
from tests.support.scripted_engine import Call, ScriptedEngine, numbered_window
from whisper_inference.decoding.requests import Decoding
from whisper_inference.scheduler import Lane, Scheduler, WindowWork
from whisper_inference.scheduler.jobs import Job
from whisper_inference.scheduler.loop import EngineLoop
from whisper_inference.scheduler.waiting import STREAMS_BEFORE_A_FILE, WaitingJobs

WINDOW = np.zeros((2, 3000), dtype=np.float32)


class Bench:
    """A loop whose engine calls take a second each, and who was served in what order."""

    def __init__(self, max_rows: int) -> None:
        self.clock = FakeClock()
        self.observer = RecordingObserver()
        self.loop = EngineLoop(ScriptedEngine(max_rows=max_rows, before=self._take), 4, 60.0, self.observer, self.clock)
        self.served: list[Lane] = []
        self._orders = 0

    def _take(self, call: Call) -> None:
        self.clock.advance(1.0 if call in {"encode", "start", "step"} else 0.0)

    def add(self, lane: Lane, *, deadline: float = 0.0, decoding: Decoding[Tokens] | None = None) -> Job:
        """Let a window wait."""
        self._orders += 1
        decoding = decoding or greedy((1,), 3)
        job = Job(WindowWork(numbered_window(1), decoding, deadline, 1, lane), self.clock(), self._orders)
        job.future.add_done_callback(lambda _: self.served.append(lane))
        self.loop.add(job)
        return job

    def run(self) -> None:
        """Turn until nothing is left."""
        while self.loop.has_work:
            self.loop.turn()


def test_a_stream_s_window_overtakes_all_files_that_wait_however_long_they_have() -> None:
    bench = Bench(max_rows=1)
    for _ in range(20):
        bench.add(Lane.FILES)
    bench.loop.turn()
    bench.clock.advance(500)
    bench.add(Lane.STREAMS, deadline=bench.clock())
    bench.run()
    assert bench.served.index(Lane.STREAMS) == 1  # after the one that was being decoded


def test_files_get_their_part_while_streams_never_pause() -> None:
    bench = Bench(max_rows=2)
    files = [bench.add(Lane.FILES) for _ in range(5)]
    spoken = 0
    while not all(job.future.done() for job in files):
        while bench.served.count(Lane.STREAMS) + 4 > spoken:  # four streams, each with a window at any time
            bench.add(Lane.STREAMS, deadline=bench.clock())
            spoken += 1
        bench.loop.turn()
    assert bench.served.count(Lane.STREAMS) <= (len(files) + 1) * (STREAMS_BEFORE_A_FILE + 1)


def test_a_stream_and_a_file_share_a_step_and_each_pays_its_part() -> None:
    bench = Bench(max_rows=8)
    bench.add(Lane.FILES)
    for _ in range(3):
        bench.add(Lane.STREAMS)
    bench.run()
    assert bench.observer.steps == [4, 4, 4]
    spent = {lane: bench.loop.spending.on(lane) for lane in Lane}
    # Each encodes and starts alone, for a second; three steps of a second have four rows.
    assert spent == pytest.approx({Lane.FILES: 2 + 3 / 4, Lane.STREAMS: 3 * (2 + 3 / 4)})
    assert sum(spent.values()) == pytest.approx(bench.loop.busy_seconds)
    assert bench.loop.spending.cheapest_window == pytest.approx(2 + 3 / 4)


def test_a_wide_file_whose_turn_it_is_waits_for_its_rows_and_no_stream_takes_them() -> None:
    waiting = WaitingJobs()
    wide = Job(WindowWork(WINDOW, branching((1,), 1, 5), 0.0, 5), 0.0, 0)
    waiting.push(wide)
    for order in range(1, 10):
        waiting.push(Job(WindowWork(WINDOW, greedy((1,), 1), 0.0, lane=Lane.STREAMS), 0.0, order))
    assert all(waiting.pop_fitting(2) for _ in range(STREAMS_BEFORE_A_FILE))
    assert waiting.pop_fitting(2) is None
    assert waiting.pop_fitting(5) is wide
    assert waiting.pop_fitting(2) is not None


@given(st.lists(st.tuples(st.sampled_from(Lane), st.floats(0, 9)) | st.none(), max_size=60))
def test_each_lane_keeps_its_order_and_no_file_waits_for_more_than_its_part(
    happened: list[tuple[Lane, float] | None],
) -> None:
    """`None` takes one out."""
    waiting = WaitingJobs()
    there: list[Job] = []
    passed = 0
    for order, event in enumerate(happened):
        if event is not None:
            lane, deadline = event
            there.append(Job(WindowWork(WINDOW, greedy((1,), 1), deadline, lane=lane), 0.0, order))
            waiting.push(there[-1])
            continue
        taken = waiting.pop_fitting(1)
        assert (taken is None) == (not there)
        if taken is None:
            continue
        same = [job for job in there if job.work.lane is taken.work.lane]
        assert taken is min(same, key=lambda job: (job.work.deadline, job.order))
        there.remove(taken)
        files_wait = any(job.work.lane is Lane.FILES for job in there)
        passed = passed + 1 if taken.work.lane is Lane.STREAMS and files_wait else 0
        assert passed <= STREAMS_BEFORE_A_FILE
        assert len(waiting) == len(there)


def test_a_scheduler_says_what_streams_took() -> None:
    async def test() -> None:
        clock = FakeClock()
        engine = ScriptedEngine(before=lambda _: clock.advance(1.0))
        scheduler = Scheduler(engine, RecordingObserver(), clock=clock)
        scheduler.start()
        try:
            assert (scheduler.spent_on_streams, scheduler.cheapest_window) == (0, None)
            await scheduler.decode(WindowWork(numbered_window(1), greedy((1,), 1), 0.0))
            assert scheduler.spent_on_streams == 0
            assert scheduler.cheapest_window == 3
            await scheduler.decode(WindowWork(numbered_window(1), greedy((1,), 2), 0.0, lane=Lane.STREAMS))
            assert scheduler.spent_on_streams == 4
            assert scheduler.cheapest_window == 3
        finally:
            await asyncio.to_thread(scheduler.close)

    asyncio.run(test())
