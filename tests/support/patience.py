"""Waiting for what a cluster does in its own time."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, TypeVar

import pytest

ResultT = TypeVar("ResultT")
PATIENCE_SECONDS: Final = 60


def eventually(
    what: Callable[[], ResultT], true: Callable[[ResultT], bool] = bool, *, seconds: float = PATIENCE_SECONDS
) -> ResultT:
    """Wait until it is so; an API server that does not answer is waited for, too."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            found = what()
        except Exception as problem:  # noqa: BLE001 - whatever the client raises while the server is down
            last = problem
        else:
            last = found
            if true(found):
                return found
        time.sleep(0.2)
    pytest.fail(f"it did not come true; last: {last}")


async def until(happened: Callable[[], bool]) -> None:
    """Wait until it is so, while the event loop goes on."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not happened():  # noqa: ASYNC110 - what is waited for knows of no event
            await asyncio.sleep(0.005)
