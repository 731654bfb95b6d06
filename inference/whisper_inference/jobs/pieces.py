"""A recording of hours as pieces of minutes, cut where it is quiet: none of it is ever held whole."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final

import numpy as np

from whisper_inference.arrays import FloatArray
from whisper_inference.audio.features import SAMPLE_RATE
from whisper_inference.transcription import Seconds

PIECE_SECONDS: Final[Seconds] = 120.0
"""Long enough that few words are cut, short enough that little is lost with a worker."""
_CUT_SECONDS: Final[Seconds] = 15.0
"""A piece ends within its last so many seconds, where it is quietest."""
_SHORTEST_SECONDS: Final[Seconds] = 1.0
"""Less than this is not left for a last piece."""
_BLOCK: Final = SAMPLE_RATE // 50
"""20 ms."""
_MOMENT: Final = 15
"""Blocks over which loudness is smoothed: longer than the closure of a plosive."""


def cut_into_pieces(blocks: Iterable[FloatArray], longest: Seconds = PIECE_SECONDS) -> Iterator[FloatArray]:
    """Join blocks of samples into pieces; the same blocks are always cut at the same places."""
    most, rest = int(longest * SAMPLE_RATE), int(_SHORTEST_SECONDS * SAMPLE_RATE)
    held: list[FloatArray] = []
    size = 0
    for block in blocks:
        held.append(block)
        size += len(block)
        while size >= most + rest:
            samples = np.concatenate(held)
            cut = _quietest(samples, most)
            yield samples[:cut]
            held, size = [samples[cut:]], size - cut
    if size:
        yield np.concatenate(held)


def _quietest(samples: FloatArray, most: int) -> int:
    first = most - min(int(_CUT_SECONDS * SAMPLE_RATE), most // 2)
    blocks = samples[first : first + (most - first) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    loudness = np.convolve(np.square(blocks).mean(axis=1), np.ones(_MOMENT), mode="valid")
    return first + (int(loudness.argmin()) + _MOMENT // 2) * _BLOCK


@asynccontextmanager
async def off_the_loop(pieces: Iterator[FloatArray]) -> AsyncIterator[AsyncIterator[FloatArray]]:
    """Let an iterator that computes run on a thread of its own; leaving the context ends it there."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="whisper-job-audio")

    async def each() -> AsyncIterator[FloatArray]:
        while (piece := await asyncio.get_running_loop().run_in_executor(pool, next, pieces, None)) is not None:
            yield piece

    try:
        yield each()
    finally:
        if hasattr(pieces, "close"):
            pool.submit(pieces.close)  # after what it computes now
        pool.shutdown(wait=False)
