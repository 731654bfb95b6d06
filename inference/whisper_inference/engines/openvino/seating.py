"""Who sits where in the next step: rows of one window side by side, windows with as many rows in one batch. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from whisper_inference.engines.base import RowId, WindowId

KeyT = TypeVar("KeyT")


@dataclass(frozen=True, slots=True)
class Party:
    """Neighbouring windows that are decoded in one call, each with as many seats for rows."""

    windows: tuple[WindowId, ...]
    first_window: int
    first_seat: int
    seats: tuple[RowId | None, ...]
    """The seats of each window in turn; an empty one is computed in vain."""


def seat(
    rows: Sequence[RowId],
    window_of: Mapping[RowId, WindowId],
    window_places: Mapping[WindowId, int],
    row_places: Mapping[RowId, int],
) -> tuple[Party, ...]:
    """Seat the rows of a step, moving as few as possible.

    Windows with one row each are one party. Windows with several share the other, with empty seats where one has
    fewer: a call of its own would read all weights of the model once more, which costs more than the seats.
    """
    by_window: dict[WindowId, list[RowId]] = {}
    for row in rows:
        by_window.setdefault(window_of[row], []).append(row)
    parties: list[Party] = []
    first_window = first_seat = 0
    for windows in _by_size(by_window):
        each = max(len(by_window[window]) for window in windows)
        ordered = [window for window in _fill(windows, window_places, first_window, len(windows)) if window is not None]
        seats: list[RowId | None] = []
        for window in ordered:
            taken = _fill(by_window[window], row_places, first_seat + len(seats), each)
            seats += taken
        parties.append(Party(tuple(ordered), first_window, first_seat, tuple(seats)))
        first_window += len(ordered)
        first_seat += len(seats)
    return tuple(parties)


def _by_size(by_window: Mapping[WindowId, Sequence[RowId]]) -> Iterator[list[WindowId]]:
    """Yield the windows with one row, then those with several, leaving out what there is none of."""
    single = [window for window, heard in by_window.items() if len(heard) == 1]
    several = [window for window, heard in by_window.items() if len(heard) > 1]
    yield from filter(None, (single, several))


def _fill(keys: Sequence[KeyT], places: Mapping[KeyT, int], first: int, count: int) -> list[KeyT | None]:
    """Order keys over `count` places from `first` on: who is there already stays, the others fill the gaps."""
    order: list[KeyT | None] = [None] * count
    others = []
    for key in keys:
        at = places[key] - first
        if 0 <= at < count:
            order[at] = key
        else:
            others.append(key)
    gaps = (index for index, key in enumerate(order) if key is None)
    for key, index in zip(others, list(gaps), strict=False):
        order[index] = key
    return order


def seat_alone(
    rows: Sequence[RowId],
    window_of: Mapping[RowId, WindowId],
    window_places: Mapping[WindowId, int],
    row_places: Mapping[RowId, int],
) -> tuple[Party, ...]:
    """Make each row a party of its own where it is: for devices that take one row at a time."""
    return tuple(Party((window_of[row],), window_places[window_of[row]], row_places[row], (row,)) for row in rows)
