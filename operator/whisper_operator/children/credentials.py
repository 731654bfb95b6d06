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
_NEED_RESTART: Final = ("ADMIN_PASSWORD", "SECRET_KEY")
"""Made from the first day, because a Secret is never written again; a server that uses them reads them once."""
SHORTEST_KEY: Final = 32
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
        "stringData": {key: make_key() for key in (API_KEY, *_NEED_RESTART)},
    }


def judge_credentials(owner: WhisperDeployment, data: Mapping[str, str] | None) -> Trouble | None:
    """Say what is wrong with the Secret's data (base64, as it is stored); `None` data is a Secret that is missing."""
    name = credentials_name(owner)
    if data is None:
        message = f"The Secret {name} does not exist: create it with the key {API_KEY}, or set credentials.generate."
        return Trouble("SecretMissing", message)
    if API_KEY not in data:
        return Trouble(
            "KeyMissing", f"The Secret {name} has no key {API_KEY}: add it, for example openssl rand -hex 32."
        )
    try:
        key = base64.b64decode(data[API_KEY], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return Trouble("KeyUnreadable", f"{API_KEY} in the Secret {name} is not text: write printable characters.")
    if len(key.strip()) < SHORTEST_KEY:
        message = f"{API_KEY} in the Secret {name} has fewer than {SHORTEST_KEY} characters: use openssl rand -hex 32."
        return Trouble("KeyTooShort", message)
    return None


def credentials_checksum(data: Mapping[str, str]) -> str:
    """Return what changes when the server must be restarted with other keys; it says nothing of them."""
    lines = "".join(f"{key}={data.get(key, '')}\n" for key in _NEED_RESTART)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]
