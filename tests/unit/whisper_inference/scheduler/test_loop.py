"""The engine's turns, one by one, on the test's own thread."""

import pytest

from tests.support.clock import FakeClock
from tests.support.decodings import branching, decode_alone, failing, greedy
from tests.support.observer import RecordingObserver
from tests.support.scripted_engine import Call, ScriptedEngine, numbered_window, scattered_logits, window_key
from whisper_inference.decoding.requests import Decoding, ResultT, Start
from whisper_inference.errors import EngineFailed
from whisper_inference.scheduler.jobs import Job, WindowWork
from whisper_inference.scheduler.loop import EngineLoop

SCRIPT = scattered_logits(32)


class Bench:
    """A loop with its engine and everything that it reports to."""

    def __init__(self, *, max_rows: int = 8, windows_per_turn: int = 4) -> None:
        self.engine = ScriptedEngine(max_rows=max_rows)
        self.observer = RecordingObserver()
        self.clock = FakeClock()
        self.loop = EngineLoop(self.engine, windows_per_turn, 60.0, self.observer, self.clock)
        self._orders = 0

    def add(self, decoding: Decoding[ResultT], *, window: int = 1, deadline: float = 0.0, rows: int = 1) -> Job:
        """Let a job wait."""
        self._orders += 1
        job = Job(WindowWork(numbered_window(window), decoding, deadline, rows), self.clock(), self._orders)
        self.loop.add(job)
        return job

    def run(self) -> None:
        """Turn until nothing is left."""
        while self.loop.has_work:
            self.loop.turn()

    def fail(self, call: Call) -> None:
        """Let the next such call raise, once."""

        def before(called: Call) -> None:
            if called == call:
                self.engine.before = None
                raise RuntimeError("the device is gone")

        self.engine.before = before


def assert_empty(bench: Bench) -> None:
    assert not bench.engine.windows
    assert not bench.engine.rows
    assert bench.observer.slots[-1] == (0, bench.engine.capabilities.max_rows)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_one_job_gives_its_result(bench: Bench) -> None:
    job = bench.add(greedy((1, 2), 5))
    bench.run()
    assert job.future.result(0) == decode_alone(SCRIPT, numbered_window(1), greedy((1, 2), 5))
    assert_empty(bench)


def test_rows_of_all_jobs_share_each_step(bench: Bench) -> None:
    for window in range(3):
        bench.add(greedy((1,), 4), window=window)
    bench.run()
    assert bench.engine.batch_sizes == [3, 3, 3, 3]
    assert bench.observer.steps == [3, 3, 3, 3]
    assert bench.observer.tokens == 12


def test_rows_join_and_leave_a_running_batch(bench: Bench) -> None:
    bench.add(greedy((1,), 4))
    bench.loop.turn()
    bench.add(greedy((1,), 2), window=2)
    bench.run()
    assert bench.engine.batch_sizes == [1, 2, 2, 1]


def test_batching_with_others_changes_no_result(bench: Bench) -> None:
    jobs = [bench.add(branching((1, 2), 6 + n, 3), window=n, rows=3) for n in range(4)]
    bench.run()
    expected = [decode_alone(SCRIPT, numbered_window(n), branching((1, 2), 6 + n, 3)) for n in range(4)]
    assert [job.future.result(0) for job in jobs] == expected
    assert bench.engine.copies > 0
    assert bench.engine.most_rows <= 8
    assert_empty(bench)


def test_no_more_rows_than_the_batch_holds() -> None:
    bench = Bench(max_rows=2)
    for window in range(5):
        bench.add(greedy((1,), 3), window=window)
    bench.run()
    assert max(bench.engine.batch_sizes) == 2
    assert max(in_use for in_use, _ in bench.observer.slots) == 2


def test_windows_are_encoded_a_few_at_a_time_between_steps() -> None:
    bench = Bench(windows_per_turn=2)
    for window in range(5):
        bench.add(greedy((1,), 6), window=window)
    bench.run()
    assert bench.engine.batch_sizes[:3] == [2, 4, 5]


def test_a_waiting_window_is_not_encoded_before_it_has_rows() -> None:
    bench = Bench(max_rows=1)
    bench.add(greedy((1,), 3), window=1)
    bench.add(greedy((1,), 3), window=2)
    bench.loop.turn()
    assert bench.engine.encoded == [window_key(numbered_window(1))]
    assert bench.observer.queue[-1][0] == 1


def test_earlier_deadlines_are_encoded_first() -> None:
    bench = Bench(max_rows=1)
    for window, deadline in [(1, 30.0), (2, 10.0), (3, 20.0)]:
        bench.add(greedy((1,), 1), window=window, deadline=deadline)
    bench.run()
    assert bench.engine.encoded == [window_key(numbered_window(window)) for window in (2, 3, 1)]


def test_a_wide_job_is_not_starved_by_narrow_ones() -> None:
    bench = Bench(max_rows=4)
    bench.add(greedy((1,), 5), window=0)
    bench.loop.turn()
    wide = bench.add(branching((1,), 2, 4), window=1, deadline=1.0, rows=4)
    narrow = [bench.add(greedy((1,), 5), window=2 + n, deadline=2.0) for n in range(20)]
    while not wide.future.done():
        bench.loop.turn()
    assert not any(job.future.done() for job in narrow)
    bench.run()


def test_a_cancelled_job_leaves_before_the_next_step(bench: Bench) -> None:
    gone, kept = bench.add(greedy((1,), 9)), bench.add(greedy((1,), 9), window=2)
    bench.loop.turn()
    gone.future.cancel()
    bench.loop.turn()
    assert bench.engine.batch_sizes == [2, 1]
    assert list(bench.engine.windows) == [kept.window]


def test_a_job_cancelled_during_an_encode_costs_no_step(bench: Bench) -> None:
    gone = bench.add(greedy((1,), 9))
    bench.loop.turn()
    bench.add(greedy((1,), 1), window=2)
    bench.engine.before = lambda call: (gone.future.cancel(), None)[1] if call == "encode" else None
    bench.loop.turn()
    assert bench.engine.batch_sizes == [1, 1]
    assert bench.engine.steps[0].rows != bench.engine.steps[1].rows


def test_a_cancelled_waiting_job_is_never_encoded() -> None:
    bench = Bench(max_rows=1)
    bench.add(greedy((1,), 3), window=1)
    waiting = bench.add(greedy((1,), 3), window=2)
    bench.loop.turn()
    waiting.future.cancel()
    bench.run()
    assert bench.engine.encoded == [window_key(numbered_window(1))]
    assert_empty(bench)


def test_a_decoding_that_raises_fails_alone(bench: Bench) -> None:
    bad, good = bench.add(failing((1,), 2)), bench.add(greedy((1,), 5), window=2)
    bench.run()
    with pytest.raises(ArithmeticError):
        bad.future.result(0)
    assert len(good.future.result(0)) == 5
    assert_empty(bench)


@pytest.mark.parametrize("call", ["encode", "start", "copy_rows", "align"])
def test_an_engine_call_for_one_job_fails_that_job_alone(call: Call) -> None:
    bench = Bench()
    good = bench.add(greedy((1,), 20), window=2)
    bench.loop.turn()
    bench.fail(call)
    bad = bench.add(branching((1,), 6, 3), rows=3)
    bench.run()
    with pytest.raises(EngineFailed) as failure:
        bad.future.result(0)
    assert isinstance(failure.value.__cause__, RuntimeError)
    assert len(good.future.result(0)) == 20
    assert_empty(bench)


def test_a_failed_step_fails_its_batch_and_the_loop_goes_on() -> None:
    bench = Bench(max_rows=2)
    jobs = [bench.add(greedy((1,), 3), window=n) for n in range(3)]
    bench.fail("step")
    bench.run()
    assert [isinstance(job.future.exception(0), EngineFailed) for job in jobs] == [True, True, False]
    assert_empty(bench)


def test_failure_again_and_again_is_a_stall(bench: Bench) -> None:
    def refuse(call: Call) -> None:
        if call == "step":
            raise RuntimeError("the device is gone")

    bench.engine.before = refuse
    for _ in range(5):
        bench.add(greedy((1,), 1))
        bench.run()
    assert bench.loop.health.stalled(bench.clock())
    bench.engine.before = None
    bench.add(greedy((1,), 1))
    bench.run()
    assert not bench.loop.health.stalled(bench.clock())


def test_a_failed_release_does_not_end_the_loop(bench: Bench) -> None:
    bench.fail("release")
    first = bench.add(greedy((1,), 1))
    bench.run()
    second = bench.add(greedy((1,), 1))
    bench.run()
    assert first.future.result(0) == second.future.result(0)


def test_a_decoding_that_asks_for_more_rows_than_it_said_fails(bench: Bench) -> None:
    job = bench.add(branching((1,), 3, 4), rows=3)
    bench.run()
    assert isinstance(job.future.exception(0), EngineFailed)
    assert_empty(bench)


def test_no_answer_is_spoilt_by_another_jobs_request(bench: Bench) -> None:
    """A job that starts anew in the middle of a turn must not overwrite what its neighbours still have to read."""

    def twice() -> Decoding[int]:
        yield from greedy((1,), 1)
        logits = yield Start((2,), (0,))
        return int(logits[0].argmax())

    bench.add(twice(), window=1)
    job = bench.add(greedy((1,), 4), window=2)
    bench.run()
    assert job.future.result(0) == decode_alone(SCRIPT, numbered_window(2), greedy((1,), 4))


def test_waits_and_busy_time_are_told() -> None:
    bench = Bench(max_rows=1)
    bench.engine.before = lambda call: bench.clock.advance(2.0) if call in {"encode", "step"} else None
    bench.add(greedy((1,), 1), window=1)
    bench.add(greedy((1,), 1), window=2)
    bench.run()
    assert bench.loop.busy_seconds == 8.0
    assert bench.observer.waits == [0.0, 4.0]
    assert (1, 4.0) in bench.observer.queue
    assert bench.observer.queue[-1] == (0, 0.0)


def test_what_is_abandoned_fails_and_leaves_nothing(bench: Bench) -> None:
    jobs = [bench.add(greedy((1,), 9), window=n) for n in range(10)]
    bench.loop.turn()
    bench.loop.abandon(EngineFailed("the end"))
    assert all(isinstance(job.future.exception(0), EngineFailed) for job in jobs)
    assert not bench.loop.has_work
    assert_empty(bench)
