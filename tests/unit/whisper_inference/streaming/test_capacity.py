"""How many streams an engine can follow is measured: what holds of it whatever was measured."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisper_inference.streaming.capacity import (
    A_FEW,
    ENGINE_SHARE,
    ENOUGH,
    LATE,
    MEMORY,
    Cost,
    Delay,
    Standing,
    free_places,
    guess,
)

seconds = st.floats(0, 1e6)
costs = st.builds(Cost, seconds, seconds)
counts = st.integers(0, 65_000)


@given(costs, seconds, seconds, counts)
def test_where_nobody_speaks_there_is_room_for_one_whatever_was_measured(
    cost: Cost, guessed: float, delay: float, speaking: int
) -> None:
    assert free_places(cost, guessed, delay, 0) >= 1
    assert free_places(cost, guessed, delay, speaking) >= 0


@given(costs, seconds, seconds, seconds, counts, st.integers(1, 9))
def test_more_of_anything_never_leaves_more_room(
    cost: Cost, guessed: float, delay: float, more: float, speaking: int, others: int
) -> None:
    free = free_places(cost, guessed, delay, speaking)
    assert free_places(Cost(cost.heard, cost.spent + more), guessed, delay, speaking) <= free
    assert free_places(cost, guessed + more, delay, speaking) <= free
    assert free_places(cost, guessed, delay + more, speaking) <= free
    assert free_places(cost, guessed, delay, speaking + others) <= free


@given(st.lists(st.tuples(st.floats(0.01, 30), st.floats(0, 30)), max_size=30), st.floats(0, 10))
def test_a_cost_lies_between_the_least_and_the_most_that_was_measured_or_guessed(
    measured: list[tuple[float, float]], guessed: float
) -> None:
    cost = Cost()
    for heard, spent in measured:
        cost = cost.after(heard, spent)
    ratios = [guessed, *(spent / heard for heard, spent in measured)]
    assert min(ratios) * 0.999 <= cost.per_second(guessed) <= max(ratios) * 1.001


@pytest.mark.parametrize("each", [0.004, 0.02, 0.11, 0.4, 2.0])
def test_streams_are_let_in_until_the_engine_is_busy_for_its_part_and_not_much_less(each: float) -> None:
    there, cost = 1, Cost()
    for _ in range(500):
        cost = cost.after(there, there * each)
        if cost.heard >= ENOUGH and free_places(cost, guess(each, 1.0), 0.0, there):
            there += 1
    able = max(1, int(ENGINE_SHARE / each))
    assert able <= there <= 1.02 * able + 1  # the guess counts a little for ever


def test_where_batches_make_streams_cheaper_the_measure_follows() -> None:
    there, cost = 1, Cost()
    for _ in range(3000):
        each = 0.01 + 0.05 / there
        cost = cost.after(there, there * each)
        if cost.heard >= ENOUGH and free_places(cost, guess(0.06, 1.0), 0.0, there):
            there += 1
    assert 0.6 < 0.05 + 0.01 * there < 0.78


def test_what_was_long_ago_is_forgotten() -> None:
    cost = Cost().after(MEMORY, MEMORY)
    for _ in range(100):
        cost = cost.after(MEMORY / 10, 0.01 * MEMORY / 10)
    assert cost.per_second(0) == pytest.approx(0.01, abs=0.001)


def test_before_enough_was_measured_there_is_room_for_a_few_or_for_what_the_cheapest_window_lets_guess() -> None:
    assert free_places(Cost(), guess(0.02, 1.0), 0.0, 0) == 300
    assert free_places(Cost(), guess(0.02, 0.5), 0.0, 100) == 50
    assert free_places(Cost(), guess(3.0, 1.0), 0.0, 0) == A_FEW
    assert free_places(Cost(), guess(None, 1.0), 0.0, 0) > A_FEW
    assert free_places(Cost(ENOUGH - 1, ENOUGH - 1), 1.0, 0.0, 1) == A_FEW - 1
    assert free_places(Cost(ENOUGH, ENOUGH), 1.0, 0.0, 1) == 0


def test_late_answers_leave_no_room_until_they_are_old_or_nobody_speaks() -> None:
    delay = Delay()
    for moment in range(30):
        delay = delay.after(3 * LATE, moment)
    assert LATE < delay.lately(30) <= 3 * LATE
    assert free_places(Cost(), 0.1, delay.lately(30), 7) == 0
    assert free_places(Cost(), 0.1, delay.lately(30), 0) == A_FEW
    assert free_places(Cost(), 0.1, delay.lately(90), 7) == A_FEW - 7


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 60)), min_size=1, max_size=30))
def test_a_delay_is_never_longer_than_the_longest(answers: list[tuple[float, float]]) -> None:
    delay, now = Delay(), 0.0
    for took, later in answers:
        now += later
        delay = delay.after(took, now)
    assert 0 <= delay.lately(now) <= max(took for took, _ in answers) * 1.001


def test_a_standing_says_how_much_is_taken() -> None:
    assert (Standing(3, 5).capacity, Standing(3, 5).load) == (8, 3 / 8)
    assert (Standing(0, 0).capacity, Standing(0, 0).load) == (0, 1)
