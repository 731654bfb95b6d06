"""The backlog: bounded in audio seconds, honest about when there is room again."""

import pytest

from tests.support.clock import FakeClock
from whisper_inference.errors import Overloaded, ShuttingDown
from whisper_inference.scheduler.backlog import Backlog


def test_full_backlog_refuses_with_the_time_until_there_is_room() -> None:
    busy = FakeClock(0.0)
    backlog = Backlog(60.0, busy)
    first = backlog.admit(30.0)
    backlog.admit(30.0)
    busy.advance(6.0)
    first.advance(30.0)  # 0.2 engine seconds per audio second
    backlog.admit(30.0)
    with pytest.raises(Overloaded) as refused:
        backlog.admit(30.0)
    assert refused.value.retry_after_seconds == 6


def test_released_admission_makes_room() -> None:
    backlog = Backlog(60.0, FakeClock())
    with backlog.admit(60.0), pytest.raises(Overloaded):
        backlog.admit(1.0)
    backlog.admit(60.0)
    assert backlog.pending == 60.0


def test_releasing_twice_frees_once() -> None:
    backlog = Backlog(60.0, FakeClock())
    first, _ = backlog.admit(20.0), backlog.admit(40.0)
    first.release()
    first.release()
    assert (backlog.pending, backlog.open_admissions) == (40.0, 1)


def test_worked_off_audio_makes_room_before_the_release() -> None:
    backlog = Backlog(60.0, FakeClock())
    admission = backlog.admit(60.0)
    admission.advance(30.0)
    backlog.admit(30.0)
    assert backlog.pending == 60.0


def test_advancing_past_the_end_frees_no_more_than_was_held() -> None:
    backlog = Backlog(90.0, FakeClock())
    admission = backlog.admit(10.0)
    backlog.admit(30.0)
    admission.advance(30.0)
    admission.release()
    assert backlog.pending == 30.0


def test_a_file_longer_than_the_capacity_is_heard_when_nothing_else_waits() -> None:
    backlog = Backlog(60.0, FakeClock())
    admission = backlog.admit(30.0)
    admission.resize(300.0)
    assert backlog.pending == 300.0


def test_refused_growth_keeps_the_place() -> None:
    backlog = Backlog(60.0, FakeClock())
    backlog.admit(30.0)
    admission = backlog.admit(30.0)
    with pytest.raises(Overloaded):
        admission.resize(40.0)
    assert backlog.pending == 60.0
    admission.release()
    assert backlog.pending == 30.0


def test_a_place_shrinks_even_when_the_backlog_is_over_full() -> None:
    backlog = Backlog(60.0, FakeClock())
    long = backlog.admit(300.0)
    long.resize(200.0)
    assert backlog.pending == 200.0


def test_closed_backlog_admits_nobody() -> None:
    backlog = Backlog(60.0, FakeClock())
    backlog.close()
    with pytest.raises(ShuttingDown):
        backlog.admit(1.0)


def test_each_release_is_told() -> None:
    released: list[int] = []
    backlog = Backlog(60.0, FakeClock(), lambda: released.append(backlog.open_admissions))
    with backlog.admit(1.0):
        pass
    assert released == [0]


def test_each_refusal_is_told_at_the_door_and_when_a_place_grows() -> None:
    refusals: list[str] = []
    backlog = Backlog(60.0, FakeClock(), refused=lambda: refusals.append("full"))
    backlog.admit(30.0)
    admission = backlog.admit(30.0)
    with pytest.raises(Overloaded):
        backlog.admit(30.0)
    with pytest.raises(Overloaded):
        admission.resize(31.0)
    assert refusals == ["full", "full"]


def test_streams_have_room_whatever_waits_and_their_time_is_not_that_of_files() -> None:
    busy = FakeClock(0.0)
    backlog = Backlog(60.0, busy)
    with backlog.admit(0.0):
        busy.advance(1000.0)
        file = backlog.admit(60.0)
        with backlog.admit(0.0):
            assert backlog.open_admissions == 3
        busy.advance(3.0)
        file.advance(30.0)
        assert backlog.real_time_factor == pytest.approx(0.1)
