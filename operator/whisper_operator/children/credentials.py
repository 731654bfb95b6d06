"""The Secret with the server's keys: made once when asked, judged always, overwritten never."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from typing import Final

from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.names import Manifest, child_name, metadata
from whisper_operator.observation import Trouble

API_KEY: Final = "API_KEY"
"""The key that clients send; the server reads it from a file of this name, and again when that changes."""
ACCOUNTS_FILE: Final = "accounts.yaml"
"""Named keys; read from a file of this name, and again when that changes."""
SECRET_KEY: Final = "SECRET_KEY"  # noqa: S105 - a key of the Secret
"""Signs sessions."""
SECRET_KEY_PREVIOUS: Final = "SECRET_KEY_PREVIOUS"  # noqa: S105 - a key of the Secret
"""The one before it, while both are in use."""
ADMIN_PASSWORD: Final = "ADMIN_PASSWORD"  # noqa: S105 - a key of the Secret
"""The password of the user admin."""
_GENERATED: Final = (API_KEY, SECRET_KEY, ADMIN_PASSWORD)
_NEED_RESTART: Final = (ADMIN_PASSWORD, SECRET_KEY)
"""Read once, when a server starts."""
_SHORTEST: Final = {API_KEY: 32, SECRET_KEY: 32, SECRET_KEY_PREVIOUS: 32, ADMIN_PASSWORD: 12}
"""Characters."""


def credentials_name(owner: WhisperDeployment) -> str:
    """Return the name of the Secret."""
    return owner.spec.credentials.secret_name or child_name(owner.metadata.name, "credentials")


def build_credentials(owner: WhisperDeployment, make_key: Callable[[], str]) -> Manifest:
    """Build a Secret with new keys."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": metadata(owner, credentials_name(owner)),
        "stringData": {key: make_key() for key in _GENERATED},
    }


def judge_credentials(owner: WhisperDeployment, data: Mapping[str, str] | None) -> Trouble | None:
    """Say what is wrong with the Secret's data (base64, as it is stored); `None` data is a Secret that is missing."""
    name = credentials_name(owner)
    if data is None:
        message = f"The Secret {name} does not exist: create it with the key {API_KEY}, or set credentials.generate."
        return Trouble("SecretMissing", message)
    if API_KEY not in data and ACCOUNTS_FILE not in data:
        message = f"The Secret {name} has no key {API_KEY}: add it, for example openssl rand -hex 32."
        return Trouble("KeyMissing", message)
    if ADMIN_PASSWORD in data and SECRET_KEY not in data:
        message = f"The Secret {name} has {ADMIN_PASSWORD} and no {SECRET_KEY}, which signs its sessions: add it."
        return Trouble("KeyMissing", message)
    troubles = (_judge_key(name, key, data[key]) for key in _SHORTEST if key in data)
    return next((trouble for trouble in troubles if trouble is not None), None)


def _judge_key(secret: str, key: str, value: str) -> Trouble | None:
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return Trouble("KeyUnreadable", f"{key} in the Secret {secret} is not text: write printable characters.")
    if len(text.strip()) < _SHORTEST[key]:
        message = f"{key} in the Secret {secret} has fewer than {_SHORTEST[key]} characters: use openssl rand -hex 32."
        return Trouble("KeyTooShort", message)
    return None


def restart_checksum(credentials: Mapping[str, str], redis: Mapping[str, str]) -> str:
    """Return what changes when a server must be started again with other secrets; it says nothing of them.

    Args:
        credentials: The data of the Secret with the keys.
        redis: The data of the Secret with the address of Redis; empty where there is none.
    """
    lines = [f"{key}={credentials.get(key, '')}\n" for key in _NEED_RESTART]
    lines += [f"{key}={redis[key]}\n" for key in sorted(redis)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]
