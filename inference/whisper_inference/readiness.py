"""Where the server is in its life: loading, ready, leaving, draining or failed; probes and routes ask here."""

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """The phases of a server's life, in order."""

    LOADING = "loading"
    READY = "ready"
    LEAVING = "leaving"
    DRAINING = "draining"
    FAILED = "failed"


@dataclass(slots=True)
class Readiness:
    """The current phase. Written by the server's own life cycle, on the event loop."""

    phase: Phase = Phase.LOADING
    problem: str | None = None
    """Why it failed."""

    @property
    def ready(self) -> bool:
        """A real clip was transcribed, and nobody asked the server to stop."""
        return self.phase is Phase.READY

    @property
    def takes_requests(self) -> bool:
        """Whoever asks is answered: also one that has not heard that the server leaves."""
        return self.phase in {Phase.READY, Phase.LEAVING}

    @property
    def ending(self) -> bool:
        """Somebody asked the server to stop."""
        return self.phase in {Phase.LEAVING, Phase.DRAINING}

    def loaded(self) -> None:
        """The model answers; a server that drains already stays so."""
        if self.phase is Phase.LOADING:
            self.phase = Phase.READY

    def leave(self) -> None:
        """Balancers are to send nobody any more, and those that are still sent are answered."""
        if self.phase is Phase.READY:
            self.phase = Phase.LEAVING

    def drain(self) -> None:
        """Nothing new is taken."""
        self.phase = Phase.DRAINING

    def fail(self, problem: str) -> None:
        """The model cannot be served."""
        self.phase, self.problem = Phase.FAILED, problem
