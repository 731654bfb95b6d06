"""From settings and files to credentials: what is weak is refused, and what nobody gave is made, but in no cluster."""

import hashlib
import ipaddress
import secrets
from typing import Final

from argon2.low_level import Type, hash_secret_raw
from pydantic import SecretStr

from whisper_contract.runtime import ENVIRONMENT_PREFIX, RuntimeConfig
from whisper_inference.errors import InvalidSettings
from whisper_inference.given import given_secret, read_if_there
from whisper_inference.security.accounts import Accounts, parse_accounts
from whisper_inference.security.credentials import Credentials, Login, Made
from whisper_inference.security.passwords import Argon2Parameters, hash_password
from whisper_inference.security.roles import Role
from whisper_inference.security.secret_key import SHORTEST as SHORTEST_SECRET_KEY
from whisper_inference.security.secret_key import is_weak
from whisper_inference.security.tokens import TokenSigner

ADMIN: Final = "admin"
"""The account whose password is `ADMIN_PASSWORD`."""
SHORTEST_KEY: Final = 16
"""Characters of a key that people choose; generated ones have 256 random bits."""
SHORTEST_PASSWORD: Final = 12


def read_credentials(settings: RuntimeConfig, *, make: bool = True) -> Credentials:
    """Take what is given; if nothing is that opens the server, make it.

    Args:
        settings: Name what is given.
        make: Whether somebody will see what is made; in a cluster only collectors of logs would.

    Raises:
        InvalidSettings: A secret is weak, a file cannot be read, accounts have nothing to sign their sessions with, or
            nothing was given that opens the server, and nothing may be made.
    """
    accounts = _accounts(settings)
    key = _api_key(settings, accounts)
    password = given_secret(settings.admin_password, settings.admin_password_file)
    if key is None and password is None and accounts == Accounts():
        _check_may_make(settings, make=make)
        return _made(settings)
    signer = _signer(settings, needed=password is not None or bool(accounts.accounts))
    return Credentials(key, accounts, _logins(settings, accounts, password), signer)


def argon2_parameters(settings: RuntimeConfig) -> Argon2Parameters:
    """Return what a password costs to check."""
    return Argon2Parameters(settings.argon2_memory_kib, settings.argon2_passes, settings.argon2_lanes)


def _accounts(settings: RuntimeConfig) -> Accounts:
    text = read_if_there(settings.accounts_file)
    return Accounts() if text is None else parse_accounts(text, str(settings.accounts_file))


def _api_key(settings: RuntimeConfig, accounts: Accounts) -> SecretStr | None:
    key = given_secret(settings.api_key, settings.api_key_file)
    if key is None:
        if settings.api_key_file is not None and accounts == Accounts():
            raise InvalidSettings(f"The file {settings.api_key_file} cannot be read: it is not there.")
        return None
    if len(key) < SHORTEST_KEY:
        raise InvalidSettings(
            f"The API key has {len(key)} characters; use at least {SHORTEST_KEY}, "
            "for example the output of `openssl rand -hex 32`."
        )
    return SecretStr(key)


def _signer(settings: RuntimeConfig, *, needed: bool) -> TokenSigner | None:
    key = given_secret(settings.secret_key, settings.secret_key_file)
    if key is None and needed:
        raise InvalidSettings(
            f"Accounts need a key that signs their sessions: set {ENVIRONMENT_PREFIX}SECRET_KEY, "
            "for example to the output of `openssl rand -hex 32`."
        )
    previous = given_secret(settings.secret_key_previous, settings.secret_key_previous_file)
    if key is None:
        if previous is not None:
            raise InvalidSettings(
                f"{ENVIRONMENT_PREFIX}SECRET_KEY_PREVIOUS comes beside {ENVIRONMENT_PREFIX}SECRET_KEY: set that, too."
            )
        return None
    # What was signed with the previous one opens the server as well.
    for name, each in (("secret key", key), ("previous secret key", previous)):
        if each is not None and is_weak(each):
            raise InvalidSettings(
                f"The {name} is weak: use at least {SHORTEST_SECRET_KEY} random characters, "
                "for example the output of `openssl rand -hex 32`."
            )
    return TokenSigner(key, previous)


def _logins(settings: RuntimeConfig, accounts: Accounts, password: str | None) -> dict[str, Login]:
    logins = {
        account.name: Login(
            account.role, account.password, hashlib.sha256(account.password.encode()).hexdigest(), account.quotas
        )
        for account in accounts.accounts
    }
    if password is not None:
        if len(password) < SHORTEST_PASSWORD:
            raise InvalidSettings(f"The admin password is weak: use at least {SHORTEST_PASSWORD} characters.")
        logins[ADMIN] = _admin(password, argon2_parameters(settings))
    return logins


def _admin(password: str, parameters: Argon2Parameters) -> Login:
    """Its hash differs from process to process; sessions are shared, so their fingerprint must not."""
    fingerprint = hash_secret_raw(
        password.encode(),
        b"whisper.fingerprint",
        parameters.passes,
        parameters.memory_kib,
        parameters.lanes,
        hash_len=16,
        type=Type.ID,
    )
    return Login(Role.ADMIN, hash_password(password, parameters), fingerprint.hex())


def _check_may_make(settings: RuntimeConfig, *, make: bool) -> None:
    prefix = ENVIRONMENT_PREFIX
    keys = f"{prefix}API_KEY, {prefix}API_KEY_FILE, {prefix}ACCOUNTS_FILE"
    ways = f"{keys}, or {prefix}ADMIN_PASSWORD with {prefix}SECRET_KEY"
    if not make:
        raise InvalidSettings(f"Nothing is given that opens this server, and here nothing is made: set {ways}.")
    if not _is_loopback(settings.host) and not _expects_people(settings):
        raise InvalidSettings(f"Listening on {settings.host} needs a key: set {ways}, or listen on 127.0.0.1.")


def _expects_people(settings: RuntimeConfig) -> bool:
    """Say whether somebody is to log in at this one server: with a Redis, each of several would make a password."""
    alone = settings.redis_url is None and settings.redis_url_file is None
    return alone and _signer(settings, needed=False) is not None


def _made(settings: RuntimeConfig) -> Credentials:
    made = Made(secrets.token_urlsafe(32), secrets.token_urlsafe(16))
    signer = _signer(settings, needed=False) or TokenSigner(secrets.token_urlsafe(32))
    logins = {ADMIN: _admin(made.password, argon2_parameters(settings))}
    return Credentials(SecretStr(made.key), Accounts(), logins, signer, made)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
