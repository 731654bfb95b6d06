"""A key that changes while the server runs: a mounted Secret is written anew in place."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from whisper_contract.runtime import RuntimeConfig
from whisper_inference.errors import InvalidSettings
from whisper_inference.settings import resolve_api_key

logger = logging.getLogger(__name__)

_INTERVAL_SECONDS: Final = 5.0
"""The kubelet itself takes up to a minute to write a changed Secret."""


async def follow_key_file(
    settings: RuntimeConfig, use: Callable[[SecretStr], None], interval_seconds: float = _INTERVAL_SECONDS
) -> None:
    """Read the key again whenever its file has changed, until cancelled; without a file there is nothing to do.

    A file that goes, or holds no key that would do, changes nothing: the server goes on with the key that it has.
    """
    file = settings.api_key_file
    if file is None or settings.api_key is not None:
        return
    seen = _state_of(file)
    while True:
        await asyncio.sleep(interval_seconds)
        now = _state_of(file)
        if now == seen:
            continue
        seen = now
        try:
            use(resolve_api_key(settings).secret)
        except InvalidSettings as problem:
            logger.warning("The key is kept as it was: %s", problem)
        else:
            logger.info("The key was read again from %s", file)


def _state_of(file: Path) -> tuple[int, ...] | None:
    """Return what differs when the file was replaced or written; the kubelet replaces a link above it."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
