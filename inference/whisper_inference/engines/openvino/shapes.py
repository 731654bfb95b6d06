"""Few shapes for the dynamic decoder: OpenVINO compiles code for each that it sees, and keeps it. Pure.

One shape's code takes about 5 MiB, at any size of the model, and 15 to 30 ms the first time.
"""

from typing import Final

CAPACITY_STEP: Final = 64
"""Positions of the shortest past."""


def padded_prompt(tokens: int) -> int:
    """Return as how many tokens a prompt runs: the next power of two, or three quarters of it; at least four."""
    power = max(4, 1 << (tokens - 1).bit_length())
    half_way = 3 * power // 4
    return half_way if tokens <= half_way else power


def past_capacity(positions: int, most: int) -> int:
    """Return for how many positions rows have room: the step, doubled until they fit, and never more than `most`."""
    capacity = CAPACITY_STEP
    while capacity < positions:
        capacity *= 2
    return min(capacity, most)
