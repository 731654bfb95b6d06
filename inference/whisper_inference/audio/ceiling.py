"""A ceiling on what FFmpeg allocates at once: a file of 3 KB may otherwise declare a table of gigabytes."""

import ctypes
from functools import cache
from typing import Final

import av.buffer

LARGEST_ALLOCATION: Final = 32 * 2**20
"""Enough for a minute of samples at 192 kHz, or for the index of an hour of frames."""


@cache
def limit_allocations() -> None:
    """Set the ceiling, for this process; once is enough.

    PyAV has no function for it, so the one of the libavutil that PyAV itself is linked to is called.
    """
    libavutil = ctypes.CDLL(av.buffer.__file__)
    libavutil.av_max_alloc.argtypes = [ctypes.c_size_t]
    libavutil.av_max_alloc.restype = None
    libavutil.av_max_alloc(LARGEST_ALLOCATION)
