"""The server's settings, from its arguments and environment, and the one API key that guards it."""

import ipaddress
import secrets
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from whisper_contract.runtime import ENVIRONMENT_PREFIX, RuntimeConfig
from whisper_inference.errors import InvalidSettings

SHORTEST_KEY: Final = 16
"""Characters of a key that people choose; generated ones have 256 random bits."""


class ServerSettings(BaseSettings, RuntimeConfig):
    """`RuntimeConfig` as pydantic-settings reads it: arguments first, then `WHISPER_*`."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, extra="forbid", protected_namespaces=())


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The key, and whether somebody gave it."""

    secret: SecretStr
    generated: bool


def resolve_api_key(settings: RuntimeConfig) -> ApiKey:
    """Take the given key, or make one for a server that only this machine can reach.

    Raises:
        InvalidSettings: The key is weak, its file is not readable, or the host is not loopback and no key was given.
    """
    given = _given_key(settings)
    if given is not None:
        if len(given) < SHORTEST_KEY:
            raise InvalidSettings(
                f"The API key has {len(given)} characters; use at least {SHORTEST_KEY}, "
                "for example the output of `openssl rand -hex 32`."
            )
        return ApiKey(SecretStr(given), generated=False)
    if not _is_loopback(settings.host):
        raise InvalidSettings(
            f"Listening on {settings.host} needs a key: set {ENVIRONMENT_PREFIX}API_KEY or "
            f"{ENVIRONMENT_PREFIX}API_KEY_FILE, or listen on 127.0.0.1."
        )
    return ApiKey(SecretStr(secrets.token_urlsafe(32)), generated=True)


def _given_key(settings: RuntimeConfig) -> str | None:
    if settings.api_key is not None:
        return settings.api_key.get_secret_value().strip()
    if settings.api_key_file is None:
        return None
    try:
        return settings.api_key_file.read_text().strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise InvalidSettings(f"The API key file {settings.api_key_file} cannot be read: {problem}.") from problem


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
