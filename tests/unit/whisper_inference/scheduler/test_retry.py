"""The retry time and the throughput it rests on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisper_inference.scheduler.retry import Throughput, retry_after_seconds


@pytest.mark.parametrize(
    ("excess", "factor", "seconds"),
    [(60.0, 0.5, 30), (61.0, 0.5, 31), (0.0, 0.5, 1), (30.0, 0.0001, 1), (100_000.0, 1.0, 300)],
)
def test_retry_time_is_the_time_to_work_off_the_excess(excess: float, factor: float, seconds: int) -> None:
    assert retry_after_seconds(excess, factor) == seconds


def test_real_time_is_assumed_before_anything_is_measured() -> None:
    assert Throughput().real_time_factor == 1.0


def test_the_first_measurement_replaces_the_assumption() -> None:
    assert Throughput().after(30.0, 3.0).real_time_factor == pytest.approx(0.1)


def test_a_change_of_load_shows_within_minutes_of_audio() -> None:
    throughput = Throughput()
    for _ in range(100):
        throughput = throughput.after(30.0, 3.0)
    for _ in range(20):
        throughput = throughput.after(30.0, 9.0)
    assert throughput.real_time_factor == pytest.approx(0.3, rel=0.15)


def test_windows_that_end_together_count_like_windows_that_end_one_by_one() -> None:
    together = Throughput().after(30.0, 6.0).after(30.0, 0.0)
    assert together.real_time_factor == pytest.approx(0.1, rel=0.1)


@given(st.lists(st.tuples(st.floats(0.1, 300), st.floats(0, 300)), min_size=1))
def test_the_factor_lies_between_the_measurements(samples: list[tuple[float, float]]) -> None:
    throughput = Throughput()
    for audio, busy in samples:
        throughput = throughput.after(audio, busy)
    factors = [busy / audio for audio, busy in samples]
    assert min(factors) * 0.999 <= throughput.real_time_factor <= max(factors) * 1.001
