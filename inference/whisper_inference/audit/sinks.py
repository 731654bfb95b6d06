"""The seams to where audit events go: sinks take them, and a trail can also be asked."""

from collections.abc import Sequence
from typing import Protocol

from whisper_inference.audit.events import AuditEvent, AuditPage, AuditQuery


class SinkUnavailable(Exception):
    """A sink did not take what it was sent: it is sent again."""


class SinkRefused(Exception):
    """A sink will never take what it was sent."""


class AuditSink(Protocol):
    """Takes events somewhere. What it raises besides `SinkRefused` means that it is away, and they are sent again."""

    @property
    def name(self) -> str:
        """For the metric and the log."""
        ...

    async def send(self, events: Sequence[AuditEvent]) -> None:
        """Take events, all or none; one that was taken before changes nothing if the sink can tell.

        Raises:
            SinkUnavailable: It is away.
            SinkRefused: It will not take these, however often they are sent.
        """
        ...

    async def close(self) -> None:
        """Let its connections go."""
        ...


class AuditTrail(AuditSink, Protocol):
    """A sink that keeps events for a while."""

    async def query(self, query: AuditQuery) -> AuditPage:
        """Find events, the newest first.

        Raises:
            StoreUnavailable: What keeps them does not answer.
        """
        ...
