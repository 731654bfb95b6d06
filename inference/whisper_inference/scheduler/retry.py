"""When to come back: how fast audio is worked off, and what that means for a request that found no room."""

import math
from dataclasses import dataclass

from whisper_inference.transcription import Seconds

MEMORY: Seconds = 300.0
"""Audio seconds after which a measurement counts for 1/e: ten windows, so a change of load shows within minutes."""

UNMEASURED_REAL_TIME_FACTOR = 1.0
"""Assumed before the first window is done: a server slower than its audio would be of no use."""

LONGEST_RETRY: Seconds = 300.0
"""Nobody is sent away for longer: the load may well have changed by then."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """Exponentially weighted sums of the audio worked off and of the time the engine was busy with it."""

    audio: Seconds = 0.0
    busy: Seconds = 0.0

    def after(self, audio: Seconds, busy: Seconds) -> "Throughput":
        """The sums after `busy` seconds brought `audio` seconds to an end.

        Both sums fade alike, so windows that end in one step weigh as much as windows that end one by one.
        """
        kept = math.exp(-audio / MEMORY)
        return Throughput(self.audio * kept + audio, self.busy * kept + busy)

    @property
    def real_time_factor(self) -> float:
        """Engine seconds per audio second, all requests together."""
        return self.busy / self.audio if self.audio > 0 else UNMEASURED_REAL_TIME_FACTOR


def retry_after_seconds(excess_audio: Seconds, real_time_factor: float) -> int:
    """Whole seconds until `excess_audio` seconds of the backlog are worked off; at least one."""
    return math.ceil(min(max(excess_audio * real_time_factor, 1.0), LONGEST_RETRY))
