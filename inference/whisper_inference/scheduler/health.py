"""Whether the engine still gets anywhere: what liveness asks."""

from whisper_inference.transcription import Seconds

FAILURES_UNTIL_STALLED = 5
"""Failures in a row after which the engine counts as broken. Fewer may be one bad request and its neighbours."""


class EngineHealth:
    """Remembers progress and failures. Written by the engine's thread, read by any."""

    def __init__(self, now: Seconds, patience: Seconds) -> None:
        self._patience = patience
        self.last_progress = now
        """When the engine last answered a call, or was last idle with work just arriving."""
        self._failures = 0
        self._working = False

    def work_arrived(self, now: Seconds) -> None:
        """The engine has something to do: from now on it owes progress."""
        if not self._working:
            self._working = True
            self.last_progress = now

    def progressed(self, now: Seconds) -> None:
        """The engine answered."""
        self.last_progress = now

    def window_done(self) -> None:
        """A window was decoded to its end: whatever failed before, the engine works."""
        self._failures = 0

    def failed(self) -> None:
        """The engine raised."""
        self._failures += 1

    def work_done(self) -> None:
        """Nothing is left to do."""
        self._working = False

    def stalled(self, now: Seconds) -> bool:
        """It fails again and again, or has work and has not answered within its patience."""
        overdue = self._working and now - self.last_progress > self._patience
        return overdue or self._failures >= FAILURES_UNTIL_STALLED
