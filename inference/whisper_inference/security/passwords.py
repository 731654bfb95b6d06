"""Passwords: Argon2id, off the event loop, a few at a time.

RFC 9106 recommends 3 passes over 64 MiB in 4 lanes where memory is scarce: the defaults.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

LONGEST_PASSWORD: Final = 1024
"""Characters: hashing costs time for each."""
_AT_ONCE: Final = 2
"""Each takes its memory while it runs."""


@dataclass(frozen=True, slots=True)
class Argon2Parameters:
    """What a password costs to check (RFC 9106)."""

    memory_kib: int = 65536
    passes: int = 3
    lanes: int = 4


class Passwords:
    """Hashes and checks passwords; belongs to one event loop."""

    def __init__(self, parameters: Argon2Parameters) -> None:
        self._hasher = PasswordHasher(
            time_cost=parameters.passes,
            memory_cost=parameters.memory_kib,
            parallelism=parameters.lanes,
            type=Type.ID,
        )
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._nobody_s: str | None = None

    async def check(self, hashed: str | None, password: str, instead: str | None = None) -> bool:
        """Say whether the password is right; a name that nobody has takes as long as one that exists.

        Args:
            hashed: `None` if nobody has the name.
            password: What was typed.
            instead: The hash that takes the time then, by default one at the cost of new ones.
        """
        async with self._places:
            return await asyncio.to_thread(self._check, hashed, password, instead)

    def is_outdated(self, hashed: str) -> bool:
        """Say whether a hash was made with other parameters than new ones are."""
        return self._hasher.check_needs_rehash(hashed)

    def _check(self, hashed: str | None, password: str, instead: str | None) -> bool:
        try:
            self._hasher.verify(hashed or instead or self._hash_of_nobody(), password)
        except (VerificationError, InvalidHashError):
            return False
        return hashed is not None

    def _hash_of_nobody(self) -> str:
        if self._nobody_s is None:
            self._nobody_s = self._hasher.hash("")
        return self._nobody_s


def hash_password(password: str, parameters: Argon2Parameters) -> str:
    """Return what is kept of a password, in the PHC string format."""
    hasher = PasswordHasher(parameters.passes, parameters.memory_kib, parameters.lanes, type=Type.ID)
    return hasher.hash(password)


def is_hash(text: str) -> bool:
    """Say whether this is what is kept of a password."""
    try:
        return extract_parameters(text).type is Type.ID
    except InvalidHashError:
        return False
