"""Making what stands in `accounts.yaml`."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from pydantic import ValidationError

from whisper_contract.runtime import RuntimeConfig
from whisper_inference.cli.options import RoleName
from whisper_inference.errors import InvalidRequest
from whisper_inference.quotas.quota import NO_QUOTA, Quota
from whisper_inference.security.accounts import NamedKey, write_key
from whisper_inference.security.api_keys import hash_secret, make_key
from whisper_inference.security.passwords import LONGEST_PASSWORD
from whisper_inference.security.passwords import hash_password as hash_it
from whisper_inference.security.reading import SHORTEST_PASSWORD, argon2_parameters
from whisper_inference.security.roles import Role


class MadeKey(NamedTuple):
    """A new key."""

    key: str
    """What its owner gets; kept nowhere."""
    entry: str
    """YAML for `keys:` of accounts.yaml."""


def new_api_key(name: str, role: RoleName, days: int | None, quota: Quota = NO_QUOTA) -> MadeKey:
    """Make a key.

    Raises:
        InvalidRequest: The name is none that a log could carry.
    """
    key, parts = make_key(secrets.token_bytes)
    expires = None if days is None else datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    hashed = hash_secret(parts.secret)
    try:
        entry = NamedKey(id=parts.identity, name=name, role=Role(role), hash=hashed, expires=expires, quotas=quota)
    except ValidationError:
        raise InvalidRequest(f"{name!r} is no name for a key: use letters, digits and ._@-, at most 64.") from None
    return MadeKey(key, write_key(entry))


def hash_password(password: str, settings: RuntimeConfig) -> str:
    """Return what is kept of a password, at the cost that the settings ask for.

    Raises:
        InvalidRequest: It is too short to be one, or too long.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InvalidRequest(f"Use a password of {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.")
    return hash_it(password, argon2_parameters(settings))
