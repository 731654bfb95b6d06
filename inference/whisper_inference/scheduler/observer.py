"""What the scheduler tells whoever measures it."""

from typing import Protocol

from whisper_inference.transcription import Seconds


class SchedulerObserver(Protocol):
    """Told of the queue, the batch and refusals, mostly on the engine's thread: every method must be quick."""

    def queue_changed(self, windows: int, oldest_age_seconds: Seconds) -> None:
        """So many windows wait for rows; the first of them has waited so long."""
        ...

    def queue_waited(self, seconds: Seconds) -> None:
        """A window waited so long before it was encoded."""
        ...

    def batch_stepped(self, rows: int, seconds: Seconds) -> None:
        """One decoder step of so many rows took so long."""
        ...

    def tokens_decoded(self, count: int) -> None:
        """So many tokens were appended to rows."""
        ...

    def slots_changed(self, in_use: int, total: int) -> None:
        """So many rows of the batch are taken."""
        ...

    def overloaded(self) -> None:
        """A request was refused because the backlog is full."""
        ...
