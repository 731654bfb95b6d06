"""The places of streams: how many are open, and whether there is room for another."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple, Protocol

from whisper_inference.errors import Overloaded
from whisper_inference.streaming.capacity import Cost, Delay, Standing, free_places, guess
from whisper_inference.timing import Clock
from whisper_inference.transcription import Seconds

_RETRY_SECONDS: Final = 5
"""Nobody knows when a stream ends."""
_LATELY: Final[Seconds] = 10.0
"""Sound that came longer ago does not count: who is silent costs nothing."""
_ENOUGH: Final[Seconds] = 1.0
"""So much of it makes a speaker; who sends less, to show that it is there, counts as the part of one that it is."""
_BEGINNING: Final[Seconds] = 0.5
"""So much makes a speaker of who has just begun; many signs of life at the same moment are few speakers."""


class Elsewhere(NamedTuple):
    """Another replica that has room."""

    url: str
    streams: int


class EngineTime(Protocol):
    """What an engine has spent its time on."""

    @property
    def spent_on_streams(self) -> Seconds:
        """On all streams since it was started."""
        ...

    @property
    def cheapest_window(self) -> Seconds | None:
        """On the window that took the least; `None` before the first."""
        ...


class PlacesObserver(Protocol):
    """Is told how streams fare."""

    def answered(self, seconds: Seconds) -> None:
        """A hypothesis took so long from its sound to its text."""
        ...

    def refused(self) -> None:
        """There was no room for one."""
        ...


class _Heard(NamedTuple):
    """The sound that a stream sent."""

    since: Seconds
    """When it began to, after it had been quiet."""
    at: Seconds
    seconds: Seconds = 0.0

    def lately(self, now: Seconds) -> Seconds:
        """Return how much of it counts."""
        return self.seconds * max(0.0, 1 - (now - self.at) / _LATELY)

    def after(self, seconds: Seconds, now: Seconds) -> "_Heard":
        """Return what it is with more sound."""
        before = self.lately(now)
        return _Heard(self.since if before else now, now, min(_LATELY, before + seconds))

    def speakers(self, now: Seconds) -> float:
        """Return how much of a speaker it is, by how much sound came in how long."""
        return min(1.0, self.lately(now) / max(_BEGINNING, min(_ENOUGH, now - self.since)))


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is known of streams before there are any."""

    most: int
    """There are never more."""
    interval: Seconds
    """New sound between two hypotheses, where nobody asks for another."""
    measured: bool = True
    """There are no more than the engine can follow, either."""


class Places:
    """Gives streams their places, and measures how many it has.

    A new stream finds none when the engine could not follow it beside the others; one that goes on with what it has
    said already is let in up to `most`: a slower cadence for all is better than a stream that is lost.

    Args:
        bounds: What the settings say.
        engine: Says what streams cost.
        observer: Is told how they fare.
        clock: Monotonic seconds.
        elsewhere: Names the replica that has the most room, if one has.
    """

    def __init__(
        self,
        bounds: Bounds,
        engine: EngineTime,
        observer: PlacesObserver,
        clock: Clock,
        elsewhere: Callable[[], Elsewhere | None],
    ) -> None:
        self._bounds = bounds
        self._engine, self._observer, self._clock, self._elsewhere = engine, observer, clock, elsewhere
        self._open = 0
        self._cost = Cost()
        self._spent = engine.spent_on_streams
        self._delay = Delay()
        self._closed = False
        self._heard: dict[object, _Heard] = {}
        """Of each open stream that has sent some."""

    def close(self) -> None:
        """Have room for none from now on."""
        self._closed = True

    def standing(self) -> Standing:
        """Say how many streams there are, and how many more there is room for."""
        if self._closed:
            return Standing(self._open, 0)
        bound = max(0, self._bounds.most - self._open)
        return Standing(self._open, min(bound, self._able()) if self._bounds.measured else bound)

    @contextmanager
    def take(self, *, resumes: bool = False) -> Iterator[Callable[[Seconds], None]]:
        """Hold a place while the context lasts; give what the stream calls with how much sound it sent.

        Raises:
            Overloaded: There is no room for the stream.
        """
        self.check(resumes=resumes)
        self._open += 1
        stream = object()
        try:
            yield partial(self._told, stream)
        finally:
            self._open -= 1
            self._heard.pop(stream, None)

    def check(self, *, resumes: bool = False) -> None:
        """Say before a stream begins, or goes on, that it cannot; `take` has the last word.

        Raises:
            Overloaded: There is no room for the stream.
        """
        room = self._bounds.most - self._open if resumes and not self._closed else self.standing().free
        if room <= 0:
            self._observer.refused()
            raise self._refusal()

    def answered(self, seconds: Seconds) -> None:
        """Take in how long a hypothesis took."""
        self._observer.answered(seconds)
        self._delay = self._delay.after(seconds, self._clock())

    def _told(self, stream: object, seconds: Seconds) -> None:
        now = self._clock()
        self._heard[stream] = self._heard.get(stream, _Heard(now, now)).after(seconds, now)
        spent = self._engine.spent_on_streams
        self._cost = self._cost.after(seconds, spent - self._spent)
        self._spent = spent

    def _able(self) -> int:
        now = self._clock()
        heard = tuple(self._heard.values())  # at once: metrics are read on another thread
        speaking = min(self._open, math.ceil(round(sum(each.speakers(now) for each in heard), 6)))
        guessed = guess(self._engine.cheapest_window, self._bounds.interval)
        return free_places(self._cost, guessed, self._delay.lately(now), speaking)

    def _refusal(self) -> Overloaded:
        found = self._elsewhere()
        if found is None:
            message = f"This server follows {self._open} streams, and no more: try again in {_RETRY_SECONDS} s."
            return Overloaded(message, retry_after_seconds=_RETRY_SECONDS)
        message = (
            f"This server follows {self._open} streams, and no more. Connect again now: another one, {found.url}, has "
            f"room for {found.streams}."
        )
        return Overloaded(message, retry_after_seconds=0)
