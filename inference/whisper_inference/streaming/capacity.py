"""How many streams an engine can follow, from what it has spent on those that it had. Pure.

A stream costs what its speech costs: silence is free, hypotheses of many streams share the batch, and a device that is
busy takes longer. So nothing is assumed of any of that; what was spent is divided by the sound that it was spent on.
"""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

from whisper_inference.transcription import Seconds

ENGINE_SHARE: Final = 0.75
"""Of the engine's time that streams may take together: files need some, and a busy moment must not be a late one."""
MEMORY: Final[Seconds] = 600.0
"""Streamed sound after which a measurement counts for 1/e: silence and speech in it are those of an hour."""
ENOUGH: Final[Seconds] = 30.0
"""Sound that says what streams cost; before it was heard, there is room for a few whatever the guess is."""
A_FEW: Final = 32
LATE: Final[Seconds] = 1.0
"""Hypotheses that take longer than this on average come late: there is no room, whatever was spent."""
_BELIEF: Final[Seconds] = 10.0
"""So much sound says as much of the cost as the guess that is made without any."""
_BATCHING: Final = 8.0
"""How much cheaper than a window that is decoded alone the guess is: windows share batches, and people pause."""
_NEW_ANSWERS: Final = 0.2
"""How much the last answer counts among all."""
_FORGOTTEN: Final[Seconds] = 20.0
"""Time after which an old answer counts for 1/e."""
_LEAST_COST: Final = 1e-6


class Standing(NamedTuple):
    """How many streams there are, and how many more there is room for."""

    open: int
    free: int

    @property
    def capacity(self) -> int:
        """How many there could be."""
        return self.open + self.free

    @property
    def load(self) -> float:
        """The part of the capacity that is taken; all of it where there is none."""
        return self.open / self.capacity if self.capacity else 1.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What streams have cost: exponentially weighted sums of their sound and of the engine's time."""

    heard: Seconds = 0.0
    spent: Seconds = 0.0

    def after(self, heard: Seconds, spent: Seconds) -> "Cost":
        """The sums after the engine spent so much while so much sound came."""
        kept = math.exp(-heard / MEMORY)
        return Cost(self.heard * kept + heard, self.spent * kept + spent)

    def per_second(self, guess: float) -> float:
        """Engine seconds for each second of sound; the guess is what little sound is measured against."""
        return (self.spent + _BELIEF * guess) / (self.heard + _BELIEF)


@dataclass(frozen=True, slots=True)
class Delay:
    """How long hypotheses take from their sound to their text, lately."""

    mean: Seconds = 0.0
    at: Seconds = 0.0

    def after(self, seconds: Seconds, now: Seconds) -> "Delay":
        """The mean after another one."""
        before = self.lately(now)
        return Delay(before + _NEW_ANSWERS * (seconds - before), now)

    def lately(self, now: Seconds) -> Seconds:
        """Return the mean; what was long ago says nothing."""
        return self.mean * math.exp(-max(0.0, now - self.at) / _FORGOTTEN)


def guess(window: Seconds | None, interval: Seconds) -> float:
    """Guess what a second of sound costs, of an engine that has not had streams.

    Args:
        window: What the cheapest window cost that was decoded so far; `None` if there was none.
        interval: New sound between two hypotheses.
    """
    return 0.0 if window is None else window / interval / _BATCHING


def free_places(cost: Cost, guessed: float, delay: Seconds, speaking: int) -> int:
    """Return how many more streams the engine could follow.

    Args:
        cost: What streams have cost.
        guessed: What each second costs where little was measured.
        delay: How long hypotheses take lately.
        speaking: How many streams send sound. Those that do not cost nothing; where none does, there is room for one.
    """
    if speaking and delay > LATE:
        return 0
    able = max(1, int(ENGINE_SHARE / max(cost.per_second(guessed), _LEAST_COST)))
    return max(0, (able if cost.heard >= ENOUGH else max(able, A_FEW)) - speaking)
