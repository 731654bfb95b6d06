"""What a window's decoding asks of an engine: the whole conversation between the rules and the scheduler.

A decoding is a generator: it yields one of these and is sent the array named there. It never sees an engine, so one
loop can batch the steps of many decodings, and a test can answer with a table.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from whisper_inference.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class Start:
    """Drop this decoding's rows and begin new ones; answered with logits `[len(logits_at), vocabulary]`."""

    tokens: tuple[int, ...]
    logits_at: tuple[int, ...]
    """Positions in `tokens` after which logits are wanted."""
    rows: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """Append one token to each row that goes on; answered with logits `[len(tokens), vocabulary]`.

    Row `i` of the answer continues what was row `sources[i]`; rows that no source names leave the batch.
    """

    tokens: tuple[int, ...]
    sources: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Align:
    """Score the tokens against the audio; answered with `[alignment_heads, len(tokens), audio_context]`."""

    tokens: tuple[int, ...]


Request: TypeAlias = Start | Step | Align

ResultT = TypeVar("ResultT")
Decoding: TypeAlias = Generator[Request, FloatArray, ResultT]
"""A decoding in progress: yields requests, is sent arrays, returns its result.

An array is its own to change until it yields again; then the engine may overwrite it.
"""
