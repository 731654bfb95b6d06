"""All that opens the server at a moment: the one key, named keys, and accounts with passwords."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import SecretStr

from whisper_inference.errors import Unauthenticated
from whisper_inference.quotas.quota import NO_QUOTA, Quota
from whisper_inference.security.accounts import Accounts, NamedKey
from whisper_inference.security.api_keys import hash_secret, take_apart
from whisper_inference.security.roles import Principal, Role
from whisper_inference.security.tokens import TokenSigner

_OWNER: Final = Principal("owner", Role.ADMIN, "owner")
"""Who has the one key."""
_KEY_PREFIX: Final = "key:"
_NOBODY_S_HASH: Final = hash_secret("")
"""Compared with what an unknown key brings, so that it takes as long as a known one."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who can log in."""

    role: Role
    password_hash: str
    fingerprint: str
    """Changes with the password, and says nothing of it."""
    quota: Quota = NO_QUOTA


@dataclass(frozen=True, slots=True)
class Made:
    """What nobody gave, made for this run: shown once."""

    key: str
    password: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is accepted; replaced whole when a file changes."""

    key: SecretStr | None
    accounts: Accounts
    logins: Mapping[str, Login]
    signer: TokenSigner | None
    """Signs sessions; without it nobody can log in."""
    made: Made | None = None

    def check_key(self, token: str, now: datetime) -> Principal:
        """Say who has an API key; keys are compared in constant time.

        Raises:
            Unauthenticated: It opens nothing, or not any more.
        """
        named = self._named(token, now)
        if named is not None:
            return named
        if self.key is None or not _same(token, self.key.get_secret_value()):
            raise Unauthenticated("The API key is not one of this server's.")
        return _OWNER

    def find_key(self, credential: str, now: datetime) -> tuple[Principal, str] | None:
        """Return who has a key that was named before, and what changes with the key; `None` if it is good no more.

        Args:
            credential: A principal's.
            now: The time.
        """
        if credential == _OWNER.credential:
            return None if self.key is None else (_OWNER, self.key.get_secret_value())
        key = self.accounts.find_key(credential.removeprefix(_KEY_PREFIX))
        return None if key is None or key.expired(now) else (_principal(key), key.hash)

    def _named(self, token: str, now: datetime) -> Principal | None:
        parts = take_apart(token)
        if parts is None:
            return None
        key = self.accounts.find_key(parts.identity)
        if not _same(hash_secret(parts.secret), _NOBODY_S_HASH if key is None else key.hash) or key is None:
            return None
        if key.expired(now):
            raise Unauthenticated("The API key has expired: ask for a new one.")
        return _principal(key)


def _principal(key: NamedKey) -> Principal:
    return Principal(key.name, key.role, f"{_KEY_PREFIX}{key.id}", quota=key.quotas)


def bearer_token(authorization: str | None) -> str:
    """Return the token of an `Authorization` header (RFC 6750).

    Raises:
        Unauthenticated: There is none.
    """
    scheme, _, given = (authorization or "").partition(" ")
    token = given.strip()
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("This server needs a key: send `Authorization: Bearer <key>`.")
    return token


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
