"""One window's decoding on its way through the engine."""

from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Generic

from whisper_inference.arrays import FloatArray
from whisper_inference.decoding.requests import Decoding, Request, ResultT
from whisper_inference.engines.base import RowId, WindowId
from whisper_inference.transcription import Seconds


class Lane(Enum):
    """What a window belongs to: somebody who speaks waits for every answer, so streams go first."""

    STREAMS = auto()
    FILES = auto()


@dataclass(frozen=True, slots=True)
class WindowWork(Generic[ResultT]):
    """A window and the rules that decode it."""

    log_mel: FloatArray
    """`[mel_bins, 3000]` float32."""
    decoding: Decoding[ResultT]
    deadline: Seconds
    """On the scheduler's clock. It orders its lane and never fails: late work still runs, earliest first.

    A window that starts `t` seconds into its audio should be due `t` seconds after the request came, as if the audio
    were played: so a short request goes before the later windows of a long file, which still have their turn,
    because requests that come later are due later.
    """
    rows: int = 1
    """The most rows that the decoding ever has at once."""
    lane: Lane = Lane.FILES


@dataclass(eq=False, slots=True)
class Job:
    """Work with its place in the queue, what the engine holds for it, and the future of its result."""

    work: WindowWork[Any]
    arrived: Seconds
    order: int
    """Breaks ties between deadlines: first come, first served."""
    future: Future[Any] = field(default_factory=Future)
    window: WindowId | None = None
    rows: list[RowId] = field(default_factory=list)
    request: Request | None = None
    """What the decoding waits for."""
    spent: Seconds = 0.0
    """Of the engine's time: its own, and its part of steps that it shared."""
    end: Callable[[], None] | None = None
    """Hands over the outcome of a decoding that is done."""

    @property
    def cancelled(self) -> bool:
        """Nobody waits for the result any more."""
        return self.future.cancelled()

    def succeed(self, result: object) -> None:
        """Hand the result over; nobody may be waiting."""
        with suppress(InvalidStateError):  # cancelled, or failed by close(), a moment ago
            self.future.set_result(result)

    def fail(self, problem: BaseException) -> None:
        """Hand the problem over; nobody may be waiting."""
        with suppress(InvalidStateError):
            self.future.set_exception(problem)
