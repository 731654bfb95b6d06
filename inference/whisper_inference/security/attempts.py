"""Wrong passwords cost time: per account and address, and, more patiently, per address and per account alone.

So nobody guesses one account from one place, or many from one place, or one from many places; and who locks an account
out from elsewhere has to try far more often.
"""

from datetime import timedelta
from typing import Final

from whisper_inference.errors import TooManyAttempts
from whisper_inference.security.tokens import owner_tag
from whisper_inference.sessions.store import SessionStore

_FREE_FOR_BOTH: Final = 5
_FREE_FOR_ADDRESS: Final = 20
_FREE_FOR_ACCOUNT: Final = 100
_MEMORY: Final = timedelta(minutes=15)
_LONGEST_PAUSE: Final = timedelta(minutes=15)


class Attempts:
    """Counts failed logins, and makes whoever fails too often wait, each time twice as long."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    async def check(self, account: str, address: str) -> None:
        """Let an attempt pass.

        Raises:
            TooManyAttempts: It comes too early after others that failed.
        """
        for name, _ in _names(account, address):
            left = await self._store.held_for(name)
            if left is not None:
                seconds = max(1, round(left.total_seconds()))
                raise TooManyAttempts(
                    f"Too many wrong passwords: try again in {seconds} seconds.", retry_after_seconds=seconds
                )

    async def failed(self, account: str, address: str) -> None:
        """Take in a wrong password."""
        for name, free in _names(account, address):
            failures = await self._store.count(name, _MEMORY)
            if failures >= free:
                await self._store.hold(name, min(timedelta(seconds=1 << min(failures - free, 20)), _LONGEST_PAUSE))

    async def succeeded(self, account: str, address: str) -> None:
        """Take in a right password: its owner has a clean slate, the address has not."""
        await self._store.forget(_names(account, address)[0][0])


def _names(account: str, address: str) -> tuple[tuple[str, int], ...]:
    """Return what is counted, and how many failures are free; hashed, for both are whatever a stranger writes."""
    return (
        (f"login:{owner_tag(f'{account} {address}')}", _FREE_FOR_BOTH),
        (f"login-address:{owner_tag(address)}", _FREE_FOR_ADDRESS),
        (f"login-account:{owner_tag(account)}", _FREE_FOR_ACCOUNT),
    )
