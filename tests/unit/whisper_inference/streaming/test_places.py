"""Streams get places while there are any, and who gets none is told where there is one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.support.clock import FakeClock
from whisper_inference.errors import Overloaded
from whisper_inference.streaming.places import Bounds, Elsewhere, Places


class Engine:
    """What an engine says of its time."""

    spent_on_streams = 0.0
    cheapest_window: float | None = None


class Observer:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.refusals = 0
        self.answers: list[float] = []

    def answered(self, seconds: float) -> None:
        """Remember."""
        self.answers.append(seconds)

    def refused(self) -> None:
        """Count."""
        self.refusals += 1


class Bench:
    """Places, and all around them."""

    def __init__(self, most: int, *found: Elsewhere, measured: bool = True) -> None:
        self.engine, self.observer, self.clock = Engine(), Observer(), FakeClock()
        elsewhere = found[0] if found else None
        bounds = Bounds(most, 1.0, measured)
        self.places = Places(bounds, self.engine, self.observer, self.clock, lambda: elsewhere)
        self.streams: list[Callable[[float], None]] = []
        """Those that are open."""

    @contextmanager
    def open(self, streams: int) -> Iterator[None]:
        """Let so many be open."""
        with ExitStack() as stack:
            self.streams = [stack.enter_context(self.places.take()) for _ in range(streams)]
            yield

    def hear(self, seconds: float, cost: float, streams: int = 1) -> None:
        """Let each of so many of them say so much, of which each second costs so much."""
        for told in self.streams[:streams]:
            self.engine.spent_on_streams += seconds * cost
            told(seconds)


def test_a_place_is_held_while_the_stream_lasts_and_more_than_there_may_be_are_refused() -> None:
    bench = Bench(2)
    with ExitStack() as stack:
        for _ in range(2):
            bench.places.check()
            stack.enter_context(bench.places.take())
        assert bench.places.standing() == (2, 0)
        for resumes in (False, True):
            with pytest.raises(Overloaded, match="follows 2 streams") as refused, bench.places.take(resumes=resumes):
                pass
            assert refused.value.retry_after_seconds > 0
        assert bench.observer.refusals == 2
    assert bench.places.standing() == (0, 2)


def test_what_streams_cost_bounds_new_ones_but_not_those_that_go_on() -> None:
    bench = Bench(100)
    with bench.open(2):
        bench.hear(500, 0.3, streams=2)
        assert bench.places.standing() == (2, 0)
        with pytest.raises(Overloaded):
            bench.places.check()
        with bench.places.take(resumes=True):
            assert bench.places.standing() == (3, 0)
    with bench.open(1):
        bench.hear(10_000, 0.05)
        assert bench.places.standing() == (1, 14)


def test_streams_that_send_nothing_do_not_count() -> None:
    bench = Bench(100)
    with bench.open(3):
        bench.hear(1000, 0.2, streams=3)
        assert bench.places.standing().free == 0
        bench.clock.advance(11)
        assert bench.places.standing().free == 3


def test_signs_of_life_are_not_speech() -> None:
    bench = Bench(100)
    with bench.open(20):
        bench.hear(1000, 0.05)
        bench.clock.advance(11)
        bench.hear(0.1, 0.05, streams=20)
        assert bench.places.standing().free == 11
        bench.clock.advance(1)
        assert bench.places.standing().free == 13
        bench.clock.advance(4)
        assert bench.places.standing().free == 14
        bench.clock.advance(6)
        assert bench.places.standing().free == 15


def test_who_has_left_does_not_count() -> None:
    bench = Bench(100)
    with bench.open(1):
        with bench.open(3):
            bench.hear(1000, 0.2, streams=3)
            assert bench.places.standing().free == 0
        assert bench.places.standing() == (1, 3)


def test_who_has_just_begun_to_speak_counts_at_once() -> None:
    bench = Bench(100)
    with bench.open(1):
        bench.hear(1000, 0.05)
        bench.clock.advance(11)
        for _ in range(20):
            bench.hear(0.1, 0.05)
            assert bench.places.standing().free == 14
            bench.clock.advance(0.1)


def test_where_nothing_is_measured_there_are_as_many_as_there_may_be() -> None:
    bench = Bench(100, measured=False)
    with bench.open(1):
        bench.hear(1000, 10.0)
        bench.places.answered(100)
        assert bench.places.standing() == (1, 99)


def test_late_answers_leave_no_room_for_a_while() -> None:
    bench = Bench(100)
    with bench.open(1):
        for _ in range(20):
            bench.places.answered(4.0)
        bench.hear(1, 0)
        assert bench.places.standing().free == 0
        bench.clock.advance(120)
        bench.hear(1, 0)
        assert bench.places.standing().free == 99
    assert bench.observer.answers == [4.0] * 20


def test_who_is_refused_is_told_which_replica_has_room_and_may_come_back_at_once() -> None:
    bench = Bench(1, Elsewhere("http://10.0.0.7:8000", 12))
    with bench.places.take(), pytest.raises(Overloaded, match=r"http://10.0.0.7:8000, has room for 12") as refused:
        bench.places.check()
    assert refused.value.retry_after_seconds == 0


def test_closed_places_take_nobody() -> None:
    bench = Bench(5)
    bench.places.close()
    assert bench.places.standing() == (0, 0)
    for resumes in (False, True):
        with pytest.raises(Overloaded):
            bench.places.check(resumes=resumes)
