"""Who sits beside whom in a step."""

from hypothesis import given
from hypothesis import strategies as st

from whisper_inference.engines.base import RowId, WindowId
from whisper_inference.engines.openvino.seating import Party, seat, seat_alone


def row(number: int) -> RowId:
    return RowId(number)


def window(number: int) -> WindowId:
    return WindowId(number)


def test_windows_with_one_row_each_are_one_party_in_the_order_of_their_places() -> None:
    window_of = {row(1): window(10), row(2): window(20)}
    parties = seat([row(1), row(2)], window_of, {window(10): 1, window(20): 0}, {row(1): 0, row(2): 1})
    assert parties == (Party((window(20), window(10)), 0, 0, (row(2), row(1))),)


def test_a_window_behind_a_gap_fills_it_and_nobody_else_moves() -> None:
    window_of = {row(number): window(number) for number in (0, 2, 3)}
    places = {window(0): 0, window(2): 2, window(3): 3}
    (party,) = seat([row(0), row(2), row(3)], window_of, places, {row(0): 0, row(2): 2, row(3): 3})
    assert party.windows == (window(0), window(3), window(2))
    assert party.seats == (row(0), row(3), row(2))


def test_beams_sit_behind_single_rows_with_empty_seats_where_one_is_narrower() -> None:
    window_of = {row(0): window(0)}
    window_of |= {row(number): window(1) for number in (1, 2, 3)}
    window_of |= {row(number): window(2) for number in (4, 5)}
    places = {window(number): number for number in range(3)}
    single, beams = seat(list(window_of), window_of, places, {name: name for name in window_of})
    assert (single.windows, single.first_window, single.first_seat, single.seats) == ((window(0),), 0, 0, (row(0),))
    assert (beams.windows, beams.first_window, beams.first_seat) == ((window(1), window(2)), 1, 1)
    assert beams.seats == (row(1), row(2), row(3), row(4), row(5), None)


def test_a_device_that_takes_one_row_at_a_time_takes_each_where_it_is() -> None:
    window_of = {row(1): window(7), row(2): window(7)}
    parties = seat_alone([row(2), row(1)], window_of, {window(7): 3}, {row(1): 4, row(2): 5})
    assert parties == (Party((window(7),), 3, 5, (row(2),)), Party((window(7),), 3, 4, (row(1),)))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12))
def test_every_row_has_one_seat_beside_its_window_and_nothing_overlaps(heard: list[int]) -> None:
    window_of = {row(index): window(number) for index, number in enumerate(heard)}
    window_places = {name: 2 * name for name in set(window_of.values())}
    row_places = {name: 3 * name % 37 for name in window_of}
    parties = seat(list(window_of), window_of, window_places, row_places)
    seated = [name for party in parties for name in party.seats if name is not None]
    assert sorted(seated) == sorted(window_of)
    next_window = next_seat = 0
    for party in parties:
        assert (party.first_window, party.first_seat) == (next_window, next_seat)
        next_window += len(party.windows)
        next_seat += len(party.seats)
        each = len(party.seats) // len(party.windows)
        for index, name in enumerate(party.windows):
            here = party.seats[index * each : (index + 1) * each]
            assert {window_of[other] for other in here if other is not None} == {name}
