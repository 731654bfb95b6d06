"""Which changes of the status a person would want to hear of. Pure."""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from whisper_operator.api.status import Condition, WhisperDeploymentStatus

GOOD: Final = {
    "Accepted": "True",
    "CredentialsReady": "True",
    "RedisReady": "True",
    "TlsReady": "True",
    "Available": "True",
    "FallbackActive": "False",
    "AutoscalingReady": "True",
}
"""The status of each condition that is no cause for worry; of the others nobody is told."""


class Event(NamedTuple):
    """Something to tell."""

    kind: Literal["Normal", "Warning"]
    reason: str
    message: str


def changes(before: WhisperDeploymentStatus, after: WhisperDeploymentStatus) -> Iterator[Event]:
    """Yield what changed and matters: a condition that turned, or that is bad for another reason."""
    known = {condition.type: condition for condition in before.conditions}
    for condition in after.conditions:
        good = GOOD.get(condition.type)
        if good is not None and _turned(known.get(condition.type), condition, good):
            yield Event("Normal" if condition.status == good else "Warning", condition.reason, condition.message)


def _turned(before: Condition | None, after: Condition, good: str) -> bool:
    if before is None:
        return after.status != good
    if before.status != after.status:
        return True
    return after.status != good and before.reason != after.reason
