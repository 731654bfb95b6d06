"""What the engine spends its time on: what a stream costs is measured, not assumed."""

from whisper_inference.scheduler.jobs import Job, Lane
from whisper_inference.transcription import Seconds


class Spending:
    """Sums up the engine's time by lane. Written by the engine's thread, read by any."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, Seconds] = dict.fromkeys(Lane, 0.0)
        self.cheapest_window: Seconds | None = None
        """What the window took that took the least: later ones find the engine warm, and batches to share."""

    def on(self, lane: Lane) -> Seconds:
        """Return what was spent on a lane since the beginning."""
        return self._lanes[lane]

    def spend(self, job: Job, seconds: Seconds) -> None:
        """Count so much for a job."""
        job.spent += seconds
        self._lanes[job.work.lane] += seconds

    def window_done(self, job: Job) -> None:
        """Take in that a job was decoded to its end."""
        cheapest = self.cheapest_window
        self.cheapest_window = job.spent if cheapest is None else min(cheapest, job.spent)
