"""Random arrivals, cancellations, lengths and failures: what holds in every history of the loop."""

from concurrent.futures import CancelledError
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.clock import FakeClock
from tests.support.decodings import branching, decode_alone, failing, greedy
from tests.support.observer import RecordingObserver
from tests.support.scripted_engine import Call, ScriptedEngine, numbered_window, scattered_logits
from whisper_inference.decoding.requests import Decoding
from whisper_inference.errors import EngineFailed
from whisper_inference.scheduler.jobs import Job, WindowWork
from whisper_inference.scheduler.loop import EngineLoop

MAX_ROWS = 4
CALLS: list[Call] = ["encode", "start", "step", "copy_rows", "finish", "align"]


@dataclass(frozen=True)
class Arrival:
    """A job of a random history."""

    turn: int
    kind: str
    steps: int
    rows: int
    deadline: float
    window: int
    cancelled_at: int | None

    def decoding(self) -> Decoding[object]:
        """A fresh decoding of this job."""
        if self.kind == "branching":
            return branching((3,), self.steps, self.rows)
        return failing((4,), self.steps) if self.kind == "failing" else greedy((1, 2), self.steps)


@dataclass
class Faults:
    """Makes the n-th call of a kind raise, for each `(kind, n)`."""

    at: set[tuple[Call, int]]
    seen: dict[Call, int] = field(default_factory=dict)
    raised: int = 0

    def __call__(self, call: Call) -> None:
        """Count the call, and raise if it is one of those."""
        self.seen[call] = self.seen.get(call, 0) + 1
        if (call, self.seen[call]) in self.at:
            self.raised += 1
            raise RuntimeError(call)


arrivals = st.lists(
    st.builds(
        Arrival,
        turn=st.integers(0, 12),
        kind=st.sampled_from(["greedy", "branching", "failing"]),
        steps=st.integers(0, 8),
        rows=st.integers(1, MAX_ROWS),
        deadline=st.floats(0, 10),
        window=st.integers(0, 3),
        cancelled_at=st.none() | st.integers(0, 20),
    ),
    max_size=10,
)
faults = st.sets(st.tuples(st.sampled_from(CALLS), st.integers(1, 12)), max_size=3)


def play(history: list[Arrival], engine: ScriptedEngine) -> list[Job]:
    """Run the history to its end; returns the jobs in the history's order."""
    loop = EngineLoop(engine, 2, 60.0, RecordingObserver(), FakeClock())
    jobs: dict[int, Job] = {}
    turn = 0
    while len(jobs) < len(history) or loop.has_work:
        for number, arrival in enumerate(history):
            if arrival.turn == turn:
                work = WindowWork(numbered_window(arrival.window), arrival.decoding(), arrival.deadline, arrival.rows)
                jobs[number] = Job(work, 0.0, number)
                loop.add(jobs[number])
            if arrival.cancelled_at is not None and arrival.cancelled_at == turn - arrival.turn:
                jobs[number].future.cancel()
        loop.turn()
        turn += 1
        assert turn < 1000, "the loop does not come to an end"
    return [jobs[number] for number in range(len(history))]


@settings(deadline=None)
@given(arrivals, faults)
def test_every_job_ends_and_nothing_leaks(history: list[Arrival], at: set[tuple[Call, int]]) -> None:
    fault = Faults(at)
    engine = ScriptedEngine(max_rows=MAX_ROWS, before=fault)
    jobs = play(history, engine)

    assert all(job.future.done() for job in jobs)
    assert not engine.windows
    assert not engine.rows
    assert engine.most_rows <= MAX_ROWS
    if not fault.raised:
        assert not any(ended_by(job, EngineFailed) for job in jobs)


@settings(deadline=None)
@given(arrivals, faults)
def test_whatever_succeeds_is_the_same_as_alone(history: list[Arrival], at: set[tuple[Call, int]]) -> None:
    jobs = play(history, ScriptedEngine(max_rows=MAX_ROWS, before=Faults(at)))
    for arrival, job in zip(history, jobs, strict=True):
        if ended_by(job, ArithmeticError):
            assert arrival.kind == "failing"
        elif not ended_by(job, CancelledError) and not ended_by(job, EngineFailed):
            expected = decode_alone(scattered_logits(32), numbered_window(arrival.window), arrival.decoding())
            assert job.future.result(0) == expected


def ended_by(job: Job, kind: type[BaseException]) -> bool:
    """Whether the job ended with such an error."""
    if job.future.cancelled():
        return kind is CancelledError
    return isinstance(job.future.exception(0), kind)
