"""Between who records an event and a sink: a bounded queue, so that a sink that is away holds nobody up."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol

from whisper_contract.surface import AuditLoss
from whisper_inference.audit.events import AuditEvent
from whisper_inference.audit.sinks import AuditSink, SinkRefused

logger = logging.getLogger(__name__)

MOST_WAITING: Final = 10_000
MOST_AT_ONCE: Final = 100
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 30.0


class AuditObserver(Protocol):
    """Counts what becomes of events."""

    def audit_events(self, sink: str, outcome: str, count: int) -> None:
        """Count events."""
        ...


class Delivery:
    """Brings events to one sink, in order; tries again, each time later, while it is away.

    Args:
        sink: Where to.
        observer: Counts.
        first_pause_seconds: Before the second attempt.
    """

    def __init__(
        self, sink: AuditSink, observer: AuditObserver, first_pause_seconds: float = _FIRST_PAUSE_SECONDS
    ) -> None:
        self._sink, self._observer, self._first_pause = sink, observer, first_pause_seconds
        self._waiting: deque[AuditEvent] = deque()
        self._under_way: Sequence[AuditEvent] = ()
        self._wake, self._closing = asyncio.Event(), False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._away, self._lost = False, 0

    def offer(self, event: AuditEvent) -> None:
        """Take an event; one that there is no room for is counted. May be called from any thread."""
        if len(self._waiting) >= MOST_WAITING:
            self._count_lost(1)
            return
        self._waiting.append(event)
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody delivers any more
                self._loop.call_soon_threadsafe(self._wake.set)

    def start(self) -> None:
        """Deliver from now on, on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._wake.set()
        self._task = asyncio.create_task(self._run())

    async def close(self, patience_seconds: float) -> None:
        """Deliver what is left, but for no longer than this."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_seconds):
                    await self._task
        left = len(self._waiting) + len(self._under_way)
        if left:
            self._count_lost(left)
            logger.error("%d audit events were not delivered to %s before the end", left, self._sink.name)
        await self._sink.close()

    async def _run(self) -> None:
        while self._waiting or not self._closing:
            await self._wake.wait()
            if not self._closing:
                self._wake.clear()
            while self._waiting:
                count = min(len(self._waiting), MOST_AT_ONCE)
                self._under_way = [self._waiting.popleft() for _ in range(count)]
                await self._deliver(self._under_way)
                self._under_way = ()

    async def _deliver(self, events: Sequence[AuditEvent]) -> None:
        pause = self._first_pause
        while True:
            try:
                await self._sink.send(events)
            except SinkRefused as problem:
                self._observer.audit_events(self._sink.name, AuditLoss.REFUSED, len(events))
                logger.error("%s refuses %d audit events: %s", self._sink.name, len(events), problem)  # noqa: TRY400
                return
            except Exception as problem:  # noqa: BLE001 - a defect of a sink must not end its delivery
                self._say_away(problem)
                await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - no secret
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            else:
                self._observer.audit_events(self._sink.name, "delivered", len(events))
                self._say_back()
                return

    def _count_lost(self, count: int) -> None:
        self._lost += count
        self._observer.audit_events(self._sink.name, AuditLoss.DROPPED, count)

    def _say_away(self, problem: Exception) -> None:
        if not self._away:
            cause = type(problem.__cause__ or problem).__name__
            logger.error("Audit events cannot be delivered to %s: %s; they wait", self._sink.name, cause)
        self._away = True

    def _say_back(self) -> None:
        if self._away:
            logger.warning("Audit events are delivered to %s again; %d were lost", self._sink.name, self._lost)
        self._away, self._lost = False, 0
