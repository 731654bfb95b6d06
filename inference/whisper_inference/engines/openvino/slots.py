"""Numbered places that names live in: which window or row is where in the arrays of a running batch."""

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT")


class Slots(Generic[KeyT]):
    """Places from 0 on; each holds one name or none."""

    def __init__(self, count: int) -> None:
        self._occupants: list[KeyT | None] = [None] * count
        self._places: dict[KeyT, int] = {}

    def __len__(self) -> int:
        return len(self._occupants)

    def __iter__(self) -> Iterator[KeyT]:
        return iter(self._places)

    def __contains__(self, key: KeyT) -> bool:
        return key in self._places

    @property
    def places(self) -> Mapping[KeyT, int]:
        """Where each name lives."""
        return self._places

    def place_of(self, key: KeyT) -> int:
        """Find a name.

        Raises:
            KeyError: It does not live.
        """
        return self._places[key]

    def take(self, key: KeyT) -> int:
        """Give a name the first free place; there may be one more place afterwards."""
        place = next((place for place, other in enumerate(self._occupants) if other is None), len(self._occupants))
        if place == len(self._occupants):
            self._occupants.append(None)
        self._occupants[place], self._places[key] = key, place
        return place

    def free(self, key: KeyT) -> None:
        """Let a name go."""
        self._occupants[self._places.pop(key)] = None

    def reserve(self, count: int) -> None:
        """Have at least so many places."""
        self._occupants += [None] * (count - len(self._occupants))

    def arrange(self, wanted: Mapping[KeyT, int], move: Callable[[int, int, bool], None]) -> None:
        """Bring names to the places that are wanted, which are all different.

        Args:
            wanted: A place for each name that matters; whoever lives there takes the place that became free.
            move: Called with each move of the contents: from, to, and whether the two change places.
        """
        for key, place in wanted.items():
            before = self._places[key]
            if before == place:
                continue
            other = self._occupants[place]
            move(before, place, other is not None)
            self._occupants[place], self._occupants[before] = key, other
            self._places[key] = place
            if other is not None:
                self._places[other] = before
