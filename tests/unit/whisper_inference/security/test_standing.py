"""How a sender stands, from what is counted of it: as the limits library reckons, without another question."""

import asyncio
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from typing_extensions import override

from whisper_inference.security.rate_limits import standing_of
from whisper_inference.security.shared_windows import Window

TEN = parse("10/minute")


class Fixed(MemoryStorage):
    """A store in which nothing changes."""

    def __init__(self, window: Window) -> None:
        super().__init__()
        self.window = window

    @override
    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        return self.window


@given(st.builds(Window, st.integers(0, 10), st.floats(0.5, 59), st.integers(0, 10), st.floats(61, 119)))
def test_a_standing_is_the_library_s(window: Window) -> None:
    async def ask() -> tuple[float, int]:
        stats = await SlidingWindowCounterRateLimiter(Fixed(window)).get_window_stats(TEN, "anna")
        return stats.reset_time - time.time(), stats.remaining

    seconds, remaining = asyncio.run(ask())
    ours = standing_of(TEN, window)
    assert (ours.limit, ours.remaining) == (10, remaining)
    assert math.ceil(seconds) <= ours.reset_seconds <= 60
    assert seconds < 0.01 or ours.reset_seconds <= math.ceil(seconds) + 1  # the library looks at a clock


@pytest.mark.parametrize(
    ("window", "remaining", "seconds"),
    [
        (Window(0, 0, 0, 0), 10, 0),
        (Window(0, 0, 1, 120), 9, 60),
        (Window(0, 0, 4, 90), 6, 30),
        (Window(10, 30, 2, 90), 3, 6),
        (Window(10, 48, 2, 108), 0, 6),
    ],
)
def test_a_sender_is_told_how_much_is_left_and_when_there_is_more(window: Window, remaining: int, seconds: int) -> None:
    standing = standing_of(TEN, window)
    assert (standing.remaining, standing.reset_seconds) == (remaining, seconds)
