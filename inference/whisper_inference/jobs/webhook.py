"""What a webhook says, signed in the Standard Webhooks format, and when it is tried again. Pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
import json
from datetime import datetime
from typing import Final

from standardwebhooks import Webhook

from whisper_inference.errors import InvalidSettings
from whisper_inference.jobs.job import Job

MOST_TRIES: Final = 8
"""Over about eight hours."""
_FIRST_PAUSE_SECONDS: Final = 5.0
_GROWTH: Final = 4
_PREFIX: Final = "whsec_"
_PURPOSE: Final = b"whisper.webhook"
_SHORTEST_BYTES, _LONGEST_BYTES = 24, 64


def webhook_secret(given: str | None, secret_key: str | None) -> bytes | None:
    """Return what webhooks are signed with: what is given, or what follows from `SECRET_KEY`; `None` without both.

    Raises:
        InvalidSettings: What is given is none.
    """
    if given is None:
        return None if secret_key is None else hmac.digest(secret_key.encode(), _PURPOSE, hashlib.sha256)
    try:
        secret = base64.b64decode(given.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not given.startswith(_PREFIX) or not _SHORTEST_BYTES <= len(secret) <= _LONGEST_BYTES:
        raise InvalidSettings(
            f"The webhook secret is none: write {_PREFIX} and 24 to 64 random bytes in base64, for example "
            f'"{_PREFIX}$(openssl rand -base64 32)".'
        )
    return secret


def build_message(job: Job, links: dict[str, str], now: datetime) -> bytes:
    """Say what became of a job; never its text."""
    data: dict[str, object] = {"id": job.id, "status": job.status, "links": links}
    if job.batch is not None:
        data["batch"] = job.batch.id
    body = {"type": f"job.{job.status}", "timestamp": now.isoformat(), "data": data}
    return json.dumps(body, separators=(",", ":")).encode()


def sign(job: Job, message: bytes, secret: bytes, now: datetime) -> dict[str, str]:
    """Return the headers; the id is the same at every try, so that a receiver knows what it has seen."""
    identity = f"msg_{job.id}"
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(identity, now, message.decode()),
    }


def pause_after(tries: int, chance: float) -> float:
    """Return how long to wait after so many tries.

    Args:
        tries: At least one.
        chance: From 0 to 1: spreads those that failed together.
    """
    longest: float = _FIRST_PAUSE_SECONDS * _GROWTH ** (tries - 1)
    return longest * (0.5 + chance / 2)
