"""Files that change while the server runs: a mounted Secret is written anew in place."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from whisper_contract.runtime import RuntimeConfig
from whisper_inference.errors import InvalidSettings
from whisper_inference.security.credentials import Credentials
from whisper_inference.security.reading import read_credentials

logger = logging.getLogger(__name__)

INTERVAL_SECONDS: Final = 5.0
"""The kubelet itself takes up to a minute to write a changed Secret."""


async def follow_files(
    files: Sequence[Path], changed: Callable[[], Awaitable[None]], interval_seconds: float = INTERVAL_SECONDS
) -> None:
    """Call `changed` whenever one of the files has, until cancelled."""
    seen = [_state_of(file) for file in files]
    while files:
        await asyncio.sleep(interval_seconds)
        now = [_state_of(file) for file in files]
        if now != seen:
            seen = now
            await changed()


async def follow_credentials(
    settings: RuntimeConfig, use: Callable[[Credentials], None], interval_seconds: float = INTERVAL_SECONDS
) -> None:
    """Read the credentials again whenever one of their files has changed, until cancelled.

    What could not be started with changes nothing: the server goes on with the credentials that it has.
    """

    async def read_again() -> None:
        try:
            # A password is hashed, which takes as long as it should.
            credentials = await asyncio.to_thread(read_credentials, settings, make=False)
        except InvalidSettings as problem:
            logger.warning("The credentials are kept as they were: %s", problem)
            return
        use(credentials)
        logger.info("The credentials were read again")

    files = [file for file in (settings.api_key_file, settings.accounts_file) if file is not None]
    await follow_files(files, read_again, interval_seconds)


def _state_of(file: Path) -> tuple[int, ...] | None:
    """Return what differs when the file was replaced or written; the kubelet replaces a link above it."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
