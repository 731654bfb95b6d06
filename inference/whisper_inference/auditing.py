"""What routes write down of what is done; `audit/recording.py` says how."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from starlette.requests import HTTPConnection

from whisper_inference import errors
from whisper_inference.audit.events import Action, Outcome
from whisper_inference.audit.recording import Audit, RequestAudit
from whisper_inference.observability.logs import correlation_id

_REFUSALS: Final = MappingProxyType(
    {
        errors.Unauthenticated: Action.AUTHENTICATION,
        errors.Forbidden: Action.AUTHORIZATION,
        errors.RateLimited: Action.RATE_LIMIT,
    }
)
"""Facts that are written down wherever they are met."""


def request_audit(request: HTTPConnection) -> RequestAudit:
    """Return what writes down what happens in a request."""
    found: RequestAudit | None = getattr(request.state, "audit", None)
    if found is None:
        audit: Audit = request.scope["app"].state.server.audit
        found = request.state.audit = RequestAudit(audit, client_address(request), correlation_id())
    return found


async def _request_audit(request: Request) -> RequestAudit:
    # A coroutine: FastAPI sends plain functions to a thread.
    return request_audit(request)


Auditing = Annotated[RequestAudit, Depends(_request_audit)]


@dataclass(frozen=True, slots=True)
class Audited:
    """Writes down a route's whole work as one act, once its answer has been sent."""

    action: Action

    async def __call__(self, audit: Auditing) -> AsyncIterator[None]:
        """Watch the route."""
        with audit.watching(self.action) as act:
            try:
                yield
            except RequestValidationError:
                act.failed(errors.InvalidRequest.code)
                raise


def write_down_refusal(request: HTTPConnection, error: errors.WhisperError) -> None:
    """Write down that somebody was not let in or not let through, unless it stands in an act already."""
    action = next((action for kind, action in _REFUSALS.items() if isinstance(error, kind)), None)
    audit = request_audit(request)
    if action is not None and audit.told is not error:
        audit.record(action, Outcome.FAILURE, error.code)


def client_address(request: HTTPConnection) -> str:
    """Return who connects, or whom a trusted proxy names."""
    return "unknown" if request.client is None else request.client.host
