"""Audit events in the fields of the Elastic Common Schema, version 8.17. Pure.

https://www.elastic.co/guide/en/ecs/8.17/ecs-field-reference.html; what it has no field for is under `whisper`, as it
asks of custom fields.
"""

import ipaddress
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from whisper_inference.audit.events import Action, AuditEvent, Outcome

ECS_VERSION: Final = "8.17.0"
SERVICE: Final = "whisper-inference"


class _Kind(NamedTuple):
    """`event.category` and `event.type`, of the values that the schema allows."""

    category: str
    type: str


_KINDS: Final[Mapping[Action, _Kind]] = {
    Action.LOGIN: _Kind("authentication", "start"),
    Action.LOGOUT: _Kind("authentication", "end"),
    Action.SESSION_REFRESH: _Kind("session", "change"),
    Action.SESSION_END: _Kind("session", "end"),
    Action.STREAM_TOKEN: _Kind("session", "start"),
    Action.AUTHENTICATION: _Kind("authentication", "denied"),
    Action.AUTHORIZATION: _Kind("web", "denied"),
    Action.RATE_LIMIT: _Kind("web", "denied"),
    Action.CREDENTIALS_READ: _Kind("configuration", "change"),
    Action.TRANSCRIPTION: _Kind("web", "access"),
    Action.HANDOVER: _Kind("web", "info"),
    Action.JOB_SUBMIT: _Kind("web", "creation"),
    Action.JOB_RESULT: _Kind("web", "access"),
    Action.JOB_CANCEL: _Kind("web", "deletion"),
    Action.STREAM: _Kind("web", "access"),
    Action.CACHE_CLEAR: _Kind("configuration", "deletion"),
    Action.AUDIT_READ: _Kind("web", "access"),
}


def to_ecs(event: AuditEvent, host: str) -> dict[str, Any]:
    """Return the fields of an event that happened on a host, nested as the schema nests them."""
    kind = _KINDS[event.action]
    fields = {
        "@timestamp": event.time.isoformat(timespec="milliseconds"),
        "ecs": {"version": ECS_VERSION},
        "event": {
            "id": event.id,
            "kind": "event",
            "action": event.action.value,
            "category": [kind.category],
            "type": [kind.type],
            "outcome": event.outcome.value,
            "reason": event.reason,
            "dataset": "whisper.audit",
            "module": "whisper",
        },
        "message": sentence(event),
        "user": _user(event),
        "source": _source(event.address),
        "http": {"request": {"id": event.correlation_id}},
        "service": {"name": SERVICE},
        "host": {"name": host},
        "whisper": event.details.model_dump() | {"repeated": event.repeated or None},
    }
    return _without_nothing(fields)


def to_ecs_json(event: AuditEvent, host: str) -> str:
    """Return the fields as one line of JSON."""
    return json.dumps(to_ecs(event, host), ensure_ascii=False, separators=(",", ":"))


def sentence(event: AuditEvent) -> str:
    """Say what happened to people, with all that they would look for."""
    who = "somebody" if event.actor is None else f"{event.actor.name} ({event.actor.role}, {event.actor.credential})"
    outcome = event.outcome.value if event.reason is None else f"{event.outcome} ({event.reason})"
    parts = [event.action.value, outcome, "by", who]
    if event.address is not None:
        parts += ["from", event.address]
    parts += [f"{name}={value}" for name, value in event.details.model_dump(exclude_none=True).items()]
    if event.repeated:
        parts.append(f"and {event.repeated} more before it")
    return " ".join(parts)


def is_alarming(event: AuditEvent) -> bool:
    """Say whether it is a refusal."""
    return event.outcome is Outcome.FAILURE


def _user(event: AuditEvent) -> dict[str, Any]:
    if event.actor is None:
        return {"name": event.details.account}
    return {"name": event.actor.name, "roles": [event.actor.role.value], "id": event.actor.credential}


def _source(address: str | None) -> dict[str, Any]:
    if address is None:
        return {}
    try:
        return {"address": address, "ip": str(ipaddress.ip_address(address))}
    except ValueError:
        return {"address": address}


def _without_nothing(fields: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: _without_nothing(value) if isinstance(value, Mapping) else value for name, value in fields.items()}
    return {name: value for name, value in kept.items() if value not in (None, {})}
