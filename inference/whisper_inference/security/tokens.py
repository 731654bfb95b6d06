"""Tokens of sessions and streams: random, and signed, so that a made-up one costs no question to the store."""

import hashlib
import hmac
from collections.abc import Callable
from typing import Final, NamedTuple

from itsdangerous import BadSignature, Signer

from whisper_inference.sessions.store import SessionId

PREFIX: Final = "wst"
"""Of a session's token."""
STREAM_PREFIX: Final = "wss"
"""Of a stream's, which opens no route."""
CLIENT_SECRET_PREFIX: Final = "ek"  # noqa: S105 - what a secret begins with
"""Of a client secret's, as OpenAI's libraries for browsers look for it."""
_SECRET_BYTES: Final = 32
_TAG_LENGTH: Final = 16


class SessionToken(NamedTuple):
    """A token and where its session is kept."""

    token: str
    key: SessionId


class TokenSigner:
    """Makes tokens, and takes those back that it or its predecessor has signed.

    Args:
        key: `SECRET_KEY`.
        previous: `SECRET_KEY_PREVIOUS`, while pods with the old and the new one run side by side.
    """

    def __init__(self, key: str, previous: str | None = None) -> None:
        keys = [key] if previous is None else [previous, key]
        self._key = key.encode()
        self._signer = Signer(
            [each.encode() for each in keys],
            salt="whisper.session",
            sep=".",
            key_derivation="hmac",
            digest_method=hashlib.sha256,
        )

    def derive(self, purpose: str) -> bytes:
        """Return a secret for something else, which tells nothing of the key."""
        return hmac.digest(self._key, purpose.encode(), "sha256")

    def make(self, owner: str, random_bytes: Callable[[int], bytes], prefix: str = PREFIX) -> SessionToken:
        """Make a token for something new of an owner."""
        secret = random_bytes(_SECRET_BYTES).hex()
        token = self._signer.sign(f"{prefix}_{owner_tag(owner)}_{secret}").decode()
        return SessionToken(token, kept_under(owner_tag(owner), secret))

    def open(self, token: str, expected: str = PREFIX) -> SessionId | None:
        """Return where it is kept what a token stands for; `None` if this server made none such."""
        try:
            value = self._signer.unsign(token).decode()
        except (BadSignature, UnicodeError):
            return None
        prefix, _, rest = value.partition("_")
        owner, _, secret = rest.partition("_")
        return kept_under(owner, secret) if prefix == expected and secret else None

    def prove(self, text: str) -> str:
        """Return what only who has the key can say of a text, and what tells nothing of it."""
        return self._signer.get_signature(f"proof:{text}").decode()

    def proves(self, text: str, proof: str) -> bool:
        """Say whether a text is the one that a proof was made of."""
        return self._signer.verify_signature(f"proof:{text}".encode(), proof)


def owner_tag(owner: str) -> str:
    """Return what stands for an owner's name in keys."""
    return hashlib.sha256(owner.encode()).hexdigest()[:_TAG_LENGTH]


def kept_under(owner: str, secret: str) -> SessionId:
    """Who reads the store must not be able to use what is in it: so it is kept under the secret's hash."""
    return SessionId(owner, hashlib.sha256(secret.encode()).hexdigest())
