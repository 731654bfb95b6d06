"""A clock that a test moves."""


class FakeClock:
    """Stands in for `time.monotonic`: tells the time it was set to, in seconds."""

    def __init__(self, now: float = 1000.0, *, step: float = 0.0) -> None:
        self.now = now
        self._step = step
        """How far the clock moves on by itself whenever it is read."""

    def __call__(self) -> float:
        """Tell the time."""
        self.now += self._step
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
