"""What a replica says of itself to the others, and what proves that it was one of them who said it. Pure.

Replicas that hold the same `SECRET_KEY` are a group. Who can write to Redis and does not have the key can take notices
down, and draws no request to himself.
"""

import hashlib
import hmac
from typing import Final

from itsdangerous import BadSignature, Signer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from whisper_inference.transcription import Seconds

_GOOD_FOR_SECONDS: Final = 60.0
"""Clocks of machines differ; what is older than this is a repetition."""


class Notice(BaseModel):
    """How much a replica has to do."""

    model_config = ConfigDict(frozen=True)

    name: str
    url: str
    pending: Seconds = Field(ge=0)
    """Audio admitted and not yet worked off."""
    capacity: Seconds = Field(gt=0)
    real_time_factor: float = Field(ge=0)
    free_streams: int = Field(ge=0)
    """Streams that it has room for, beside those that it has."""
    sent: Seconds
    """Since 1970, by its own clock."""

    def has_room(self, audio_seconds: Seconds, promised: Seconds) -> bool:
        """Say whether it would admit so much, after what it was promised already; the rule is its backlog's own."""
        before = self.pending + promised
        return before <= 0 or before + audio_seconds <= self.capacity

    def wait(self, promised: Seconds) -> Seconds:
        """Return how long its engine needs for what it has."""
        return (self.pending + promised) * self.real_time_factor


class GroupKey:
    """What the replicas of a group share, and nobody else has.

    Args:
        secret: Derived from `SECRET_KEY` for this alone.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._notices = _signer(secret, "notice")
        self._handoffs = _signer(secret, "handoff")

    def group(self, *same: str) -> str:
        """Return the name under which replicas meet that share the key and all of these words."""
        return hmac.digest(self._secret, "\n".join(("group", *same)).encode(), "sha256").hex()[:16]

    def seal(self, notice: Notice) -> bytes:
        """Sign a notice."""
        return self._notices.sign(notice.model_dump_json())

    def open(self, sealed: bytes, now: Seconds) -> Notice | None:
        """Return a notice; `None` if it is not of this group, or old."""
        try:
            notice = Notice.model_validate_json(self._notices.unsign(sealed))
        except (BadSignature, ValidationError):
            return None
        return notice if abs(now - notice.sent) <= _GOOD_FOR_SECONDS else None

    def prove(self, authorization: str, now: Seconds) -> str:
        """Return what shows that a request with this credential was counted and comes from a replica."""
        return self._handoffs.sign(f"{now:.0f}.{_digest(authorization)}").decode()

    def proves(self, proof: str, authorization: str, now: Seconds) -> bool:
        """Say whether it does; it is good for this credential, and for a minute."""
        try:
            sent, _, digest = self._handoffs.unsign(proof).decode().partition(".")
        except (BadSignature, UnicodeError):
            return False
        return digest == _digest(authorization) and abs(now - float(sent)) <= _GOOD_FOR_SECONDS


def _signer(secret: bytes, purpose: str) -> Signer:
    return Signer(secret, f"whisper.replicas.{purpose}", "~", key_derivation="hmac", digest_method=hashlib.sha256)


def _digest(authorization: str) -> str:
    return hashlib.sha256(authorization.encode()).hexdigest()
