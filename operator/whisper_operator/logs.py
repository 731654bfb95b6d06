"""Logs: lines for people or JSON for collectors, each with the resource that it is about."""

import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from datetime import timedelta
from typing import Final

import kopf
from typing_extensions import override

from whisper_operator.api.base import API_VERSION, KIND
from whisper_operator.reconcile import OwnerKey
from whisper_operator.settings import OperatorSettings

_OWNER: Final[ContextVar[OwnerKey | None]] = ContextVar("owner", default=None)
"""The resource of the pass that a task makes."""


class _NamesOwner(logging.Filter):
    """Adds the resource to what is logged during its pass, under the name that kopf's formatters look for."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        owner = _OWNER.get()
        if owner is not None and not hasattr(record, "k8s_ref"):
            record.k8s_ref = {"apiVersion": API_VERSION, "kind": KIND, **owner._asdict()}
        return True


def configure_logging(settings: OperatorSettings) -> None:
    """Log as the settings say."""
    log_format = kopf.LogFormat.JSON if settings.log_format == "json" else kopf.LogFormat.FULL
    # Without a choice the resource comes first in lines for people, and has a field of its own in JSON.
    kopf.configure(log_format=log_format, log_prefix=None)
    root = logging.getLogger()
    root.setLevel(settings.log_level.upper())
    for handler in root.handlers:
        handler.addFilter(_NamesOwner())
    # kopf says of every event that it was handled.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)


def named(run: Callable[[OwnerKey], Awaitable[timedelta | None]]) -> Callable[[OwnerKey], Awaitable[timedelta | None]]:
    """Return the same pass, whose task from then on logs with the resource."""

    async def of_owner(key: OwnerKey) -> timedelta | None:
        _OWNER.set(key)
        return await run(key)

    return of_owner
