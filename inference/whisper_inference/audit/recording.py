"""Writing down what happens: at once to the log, and through a queue of its own to each sink.

A route whose whole work is one act says so in its dependencies, and notes what there is to note:

    dependencies=audited(Role.TRANSCRIBER, Action.TRANSCRIPTION)
    request_audit(request).note(model=name, audio_seconds=duration)   # ids, models, seconds; never content

It is written down when the answer has been sent, also one that streams; an error that leaves the route makes it a
failure with the error's code, and `request_audit(request).failed(code)` one that does not leave it. Elsewhere, with
`audit: Auditing` among the parameters, it is `with audit.watching(Action.LOGOUT):` around the act. Outside a request it
is `state.audit.record(Act(Action.CREDENTIALS_READ), NOBODY)`. `audited` is in dependencies.py, `Auditing` and
`request_audit` are in auditing.py. A new action is a line in `events.Action` and one in `ecs._KINDS`.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypedDict, Unpack

from whisper_inference.audit.delivery import AuditObserver, Delivery
from whisper_inference.audit.ecs import is_alarming, sentence, to_ecs
from whisper_inference.audit.events import NOTHING_ELSE, Action, Actor, AuditEvent, Details, Outcome, make_id
from whisper_inference.audit.sampling import SAMPLED, SAMPLED_REASONS, Sampler
from whisper_inference.audit.sinks import AuditTrail
from whisper_inference.errors import WhisperError
from whisper_inference.observability.logs import AUDIT_LOGGER, ECS_FIELDS
from whisper_inference.security.roles import Principal

logger = logging.getLogger(AUDIT_LOGGER)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends a request, as far as it is known."""

    principal: Principal | None = None
    address: str | None = None
    correlation_id: str | None = None


NOBODY: Final = Sender()
"""The server itself."""


class Noted(TypedDict, total=False):
    """The fields of `Details`."""

    subject: str | None
    account: str | None
    model: str | None
    audio_seconds: float | None


@dataclass(slots=True)
class Act:
    """What is done; whoever does it notes what is to be written down of it."""

    action: Action
    outcome: Outcome = Outcome.SUCCESS
    reason: str | None = None
    details: Details = NOTHING_ELSE

    def note(self, **details: Unpack[Noted]) -> None:
        """Note details."""
        self.details = self.details.model_copy(update=dict(details))

    def failed(self, reason: str) -> None:
        """Note that it failed, with an error's code."""
        self.outcome, self.reason = Outcome.FAILURE, reason

    def abandoned(self) -> None:
        """Note that nobody waited for the end."""
        self.outcome = Outcome.UNKNOWN


class Audit:
    """Takes down acts; one for each server.

    Args:
        trail: What can be asked for events.
        deliveries: To it and to other sinks, besides the log.
        observer: Counts.
        clock: The time, with its zone.
        host: Where this server runs.
    """

    def __init__(
        self,
        trail: AuditTrail,
        deliveries: Sequence[Delivery],
        observer: AuditObserver,
        clock: Callable[[], datetime],
        host: str,
    ) -> None:
        self.trail = trail
        self._deliveries, self._observer, self._clock, self._host = deliveries, observer, clock, host
        self._sampler = Sampler(time.monotonic)

    def record(self, act: Act, sender: Sender) -> None:
        """Write down an act; it waits for nothing, and raises nothing. May be called from any thread."""
        repeated = self._admit(act, sender)
        if repeated is None:
            self._observer.audit_events("all", "suppressed", 1)
            return
        now = self._clock()
        event = AuditEvent(
            id=make_id(now),
            time=now,
            action=act.action,
            outcome=act.outcome,
            reason=act.reason,
            actor=None if sender.principal is None else Actor.of(sender.principal),
            address=sender.address,
            correlation_id=sender.correlation_id,
            details=act.details,
            repeated=repeated,
        )
        level = logging.WARNING if is_alarming(event) else logging.INFO
        logger.log(level, "%s", sentence(event), extra={ECS_FIELDS: to_ecs(event, self._host)})
        self._observer.audit_events("log", "delivered", 1)
        for delivery in self._deliveries:
            delivery.offer(event)

    def start(self) -> None:
        """Deliver from now on, on the running event loop."""
        for delivery in self._deliveries:
            delivery.start()

    async def close(self, patience_seconds: float) -> None:
        """Deliver what is left, but for no longer than this."""
        await asyncio.gather(*(delivery.close(patience_seconds) for delivery in self._deliveries))

    def _admit(self, act: Act, sender: Sender) -> int | None:
        if sender.principal is None and act.outcome is Outcome.FAILURE and not self._sampler.has_room_for_strangers():
            return None
        if act.action not in SAMPLED and act.reason not in SAMPLED_REASONS:
            return 0
        who = sender.address if sender.principal is None else sender.principal.credential
        return self._sampler.repeated(act.action, who or "", act.reason or "")


@dataclass(slots=True)
class RequestAudit:
    """Writes down what happens in one request."""

    audit: Audit
    address: str
    correlation_id: str | None
    principal: Principal | None = None
    """Set once the request's credential was checked."""
    act: Act | None = None
    """What is being done."""
    told: WhisperError | None = None
    """The error with which an act failed that has been written down."""

    def record(self, action: Action, outcome: Outcome = Outcome.SUCCESS, reason: str | None = None) -> None:
        """Write down an act of which nothing else is to be noted."""
        self._finish(Act(action, outcome, reason))

    def note(self, **details: Unpack[Noted]) -> None:
        """Note details of what is being done."""
        if self.act is not None:
            self.act.note(**details)

    def failed(self, reason: str) -> None:
        """Note that what is being done failed, with an error's code."""
        if self.act is not None:
            self.act.failed(reason)

    def abandoned(self) -> None:
        """Note that nobody waits for the end of what is being done."""
        if self.act is not None:
            self.act.abandoned()

    def handed_over(self) -> None:
        """Note that another replica does it, and writes it down."""
        if self.act is not None:
            self.act.action = Action.HANDOVER

    @contextmanager
    def watching(self, action: Action, *leaving: type[Exception]) -> Iterator[Act]:
        """Write down what is done inside once it has ended, with how it ended.

        Args:
            action: What it is.
            leaving: Errors that mean that the client has gone.
        """
        before, act = self.act, Act(action)
        self.act = act
        try:
            yield act
        except WhisperError as problem:
            act.failed(problem.code)
            self.told = problem
            raise
        except leaving:
            act.abandoned()
            raise
        except Exception:
            if act.outcome is Outcome.SUCCESS:
                act.failed(WhisperError.code)
            raise
        except BaseException:
            act.abandoned()
            raise
        finally:
            self.act = before
            self._finish(act)

    def _finish(self, act: Act) -> None:
        self.audit.record(act, Sender(self.principal, self.address, self.correlation_id))
