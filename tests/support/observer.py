"""An observer that remembers what it was told."""


class RecordingObserver:
    """Implements `SchedulerObserver` with lists."""

    def __init__(self) -> None:
        self.queue: list[tuple[int, float]] = []
        self.waits: list[float] = []
        self.steps: list[int] = []
        self.tokens = 0
        self.slots: list[tuple[int, int]] = []
        self.overloads = 0

    def queue_changed(self, windows: int, oldest_age_seconds: float) -> None:
        """Remember the queue."""
        self.queue.append((windows, oldest_age_seconds))

    def queue_waited(self, seconds: float) -> None:
        """Remember the wait."""
        self.waits.append(seconds)

    def batch_stepped(self, rows: int, seconds: float) -> None:
        """Remember the rows."""
        del seconds
        self.steps.append(rows)

    def tokens_decoded(self, count: int) -> None:
        """Count."""
        self.tokens += count

    def slots_changed(self, in_use: int, total: int) -> None:
        """Remember the slots."""
        self.slots.append((in_use, total))

    def overloaded(self) -> None:
        """Count."""
        self.overloads += 1
