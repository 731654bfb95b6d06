"""Named API keys for tests."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import SecretStr

from whisper_inference.quotas.quota import NO_QUOTA, Quota
from whisper_inference.security.accounts import Accounts, NamedKey, parse_accounts, write_key
from whisper_inference.security.api_keys import hash_secret, make_key
from whisper_inference.security.credentials import Credentials
from whisper_inference.security.roles import Role

NOW: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)


CHEAP: Final = {"argon2_memory_kib": 8192, "argon2_passes": 1, "argon2_lanes": 1}
"""Settings under which a password costs little."""


def only_keys(key: str | None = None, accounts: str = "") -> Credentials:
    """Credentials without logins: the one key, and entries for accounts.yaml."""
    named = parse_accounts(f"keys:\n{accounts}", "accounts.yaml") if accounts else Accounts()
    return Credentials(None if key is None else SecretStr(key), named, {}, None)


def make_account_key(
    name: str,
    role: Role = Role.TRANSCRIBER,
    expires_in: timedelta | None = None,
    now: datetime = NOW,
    quota: Quota = NO_QUOTA,
) -> tuple[str, str]:
    """Make a key; return it, and its entry for accounts.yaml."""
    key, parts = make_key(secrets.token_bytes)
    expires = None if expires_in is None else now + expires_in
    entry = NamedKey(
        id=parts.identity, name=name, role=role, hash=hash_secret(parts.secret), expires=expires, quotas=quota
    )
    return key, write_key(entry)
