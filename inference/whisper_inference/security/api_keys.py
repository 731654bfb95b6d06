"""Named API keys: 256 random bits with a public id, of which the server keeps a hash alone. Pure.

A key is `wsk_<id>_<secret>`: the prefix lets secret scanners find one that leaked, the id finds its entry. The secret
has 256 random bits, so one round of SHA-256 keeps it (OWASP Password Storage Cheat Sheet: slow hashes are for what
people choose).
"""

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Final, NamedTuple

PREFIX: Final = "wsk"
_ID_BYTES: Final = 8
_SECRET_BYTES: Final = 32
_KEY: Final = re.compile(rf"{PREFIX}_(?P<identity>[0-9a-f]{{16}})_(?P<secret>[A-Za-z0-9_-]{{43}})")


class KeyParts(NamedTuple):
    """A key, taken apart."""

    identity: str
    secret: str


def make_key(random_bytes: Callable[[int], bytes]) -> tuple[str, KeyParts]:
    """Make a key; return it whole, and its parts."""
    secret = base64.urlsafe_b64encode(random_bytes(_SECRET_BYTES)).rstrip(b"=").decode()
    parts = KeyParts(random_bytes(_ID_BYTES).hex(), secret)
    return f"{PREFIX}_{parts.identity}_{parts.secret}", parts


def take_apart(token: str) -> KeyParts | None:
    """Return the parts of a key, or `None` if the token is something else."""
    found = _KEY.fullmatch(token)
    return None if found is None else KeyParts(found["identity"], found["secret"])


def hash_secret(secret: str) -> str:
    """Return what is kept of a secret."""
    return f"sha256:{hashlib.sha256(secret.encode()).hexdigest()}"
