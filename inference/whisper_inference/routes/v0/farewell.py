"""What every answer under an old name says: that it ends, when, and what to call instead; and who still calls it."""

import logging
from collections.abc import Sequence
from email.utils import format_datetime
from typing import Annotated

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency

from whisper_contract.surface import LEGACY_DEPRECATED, LEGACY_SUNSET
from whisper_inference.audit.events import Action
from whisper_inference.auditing import Audited
from whisper_inference.dependencies import Requires, State, was_handed_over
from whisper_inference.security.roles import Principal, Role

logger = logging.getLogger(__name__)


def old_name(role: Role, successor: str, action: Action | None = None) -> Sequence[Dependency]:
    """Return what a route under an old name depends on.

    Its answers have the headers of RFC 9745 (Deprecation) and RFC 8594 (Sunset); the log says which credential still
    calls it, for its owner has something to change.

    Args:
        role: Who may call it.
        successor: What to call instead.
        action: What is written down of it, if anything is.
    """
    requires = Depends(Requires(role))

    async def bid_farewell(request: Request, state: State, someone: Annotated[Principal, requires]) -> None:
        """Count the call, write it down, and say in headers what comes in its place, and when."""
        route = request.scope["route"].path
        if not was_handed_over(request, state):  # the replica that it came to has said so
            state.metrics.legacy_called(route)
            logger.warning("The old name %s was called with %s", route, someone.credential)
        request.state.headers = getattr(request.state, "headers", {}) | {
            "Deprecation": f"@{int(LEGACY_DEPRECATED.timestamp())}",
            "Sunset": format_datetime(LEGACY_SUNSET, usegmt=True),
            "Link": f'<{successor}>; rel="successor-version", </docs>; rel="deprecation"; type="text/html"',
        }

    written = [] if action is None else [Depends(Audited(action))]
    return [requires, Depends(bid_farewell), *written]
