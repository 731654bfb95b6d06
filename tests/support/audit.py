"""Sinks that can be looked into, and events to send to them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from whisper_inference.audit.events import Action, Actor, AuditEvent, Outcome, make_id
from whisper_inference.audit.sinks import SinkUnavailable
from whisper_inference.security.roles import Role

NOON: Final = datetime(2026, 11, 25, 12, tzinfo=UTC)
ANNA: Final = Actor(name="anna", role=Role.TRANSCRIBER, credential="account:anna")


def event(
    action: Action = Action.LOGIN,
    outcome: Outcome = Outcome.SUCCESS,
    actor: Actor | None = ANNA,
    seconds: float = 0,
    since: datetime = NOON,
) -> AuditEvent:
    """An event so many seconds after noon."""
    time = since + timedelta(seconds=seconds)
    return AuditEvent(
        id=make_id(time), time=time, action=action, outcome=outcome, actor=actor, address="10.0.0.7", correlation_id="c"
    )


class Counts:
    """Counts what becomes of events."""

    def __init__(self) -> None:
        self.by: dict[tuple[str, str], int] = {}

    def audit_events(self, sink: str, outcome: str, count: int) -> None:
        """Count events."""
        self.by[sink, outcome] = self.by.get((sink, outcome), 0) + count


class ListSink:
    """Keeps what it is sent, unless it is away."""

    name = "list"

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []
        self.away = False
        self.attempts = 0
        self.closed = False

    async def send(self, events: Sequence[AuditEvent]) -> None:
        """Keep events."""
        self.attempts += 1
        if self.away:
            raise SinkUnavailable("away")
        self.events += events

    async def close(self) -> None:
        """Take in that nothing more comes."""
        self.closed = True
