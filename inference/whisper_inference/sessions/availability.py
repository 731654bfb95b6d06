"""Whether the session store answers: said once when it changes, and a store that is down is not stormed."""

import logging
import math
import random
from collections.abc import Callable
from typing import Final

from whisper_inference.errors import StoreUnavailable

logger = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 5.0
_QUIET_SECONDS: Final = 60.0
"""A refusal is said once, and again when there was none for so long."""


class Availability:
    """Lets one attempt through after each pause while the store is down; pauses grow, and differ between processes.

    Args:
        clock: Monotonic seconds.
        tell: Called with whether the store answers, whenever that changes.
        tell_refusal: Called with the reason whenever it answers and does not do what it is asked.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        tell: Callable[[bool], None],
        tell_refusal: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._tell, self._tell_refusal = tell, tell_refusal
        self._quiet_until = 0.0
        self._failures = 0
        self._next_attempt = 0.0

    def check(self) -> None:
        """Let an attempt through.

        Raises:
            StoreUnavailable: It is too early for the next one.
        """
        wait = self._next_attempt - self._clock()
        if self._failures and wait > 0:
            raise _unavailable(wait)
        if self._failures:
            # Whoever comes while this attempt is under way does not make another.
            self._next_attempt = self._clock() + self._pause()

    def lost(self, problem: Exception) -> StoreUnavailable:
        """Take in that an attempt failed; return what to raise."""
        if self._failures == 0:
            logger.error("The session store does not answer: %s", type(problem).__name__)
            self._tell(False)  # noqa: FBT003 - the callable's only argument
        self._failures += 1
        pause = self._pause()
        self._next_attempt = self._clock() + pause
        return _unavailable(pause)

    def refused(self, problem: Exception) -> StoreUnavailable:
        """Take in that it answers and would not do this: it is full, a copy, or forbids it. Others go on."""
        reason = type(problem).__name__
        if self._clock() >= self._quiet_until:
            logger.error("The session store refuses what it is asked: %s", reason)
        self._quiet_until = self._clock() + _QUIET_SECONDS
        self._tell_refusal(reason)
        return _unavailable(_LONGEST_PAUSE_SECONDS)

    def found(self) -> None:
        """Take in that it answered."""
        if self._failures:
            logger.warning("The session store answers again")
            self._tell(True)  # noqa: FBT003 - as above
        self._failures = 0

    def _pause(self) -> float:
        longest = min(_FIRST_PAUSE_SECONDS * 2 ** min(self._failures, 8), _LONGEST_PAUSE_SECONDS)
        return random.uniform(longest / 2, longest)  # noqa: S311 - no secret


def _unavailable(seconds: float) -> StoreUnavailable:
    return StoreUnavailable(
        "Sessions cannot be reached at the moment: try again soon, or send an API key, which needs none.",
        retry_after_seconds=math.ceil(seconds),
    )
