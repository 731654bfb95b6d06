"""The bounded backlog: how much audio is admitted and not yet worked off."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from whisper_inference.errors import Overloaded, ShuttingDown
from whisper_inference.scheduler.retry import Throughput, retry_after_seconds
from whisper_inference.transcription import Seconds


class Backlog:
    """Counts admitted audio against its capacity and measures how fast it is worked off. Safe between threads."""

    def __init__(
        self,
        capacity: Seconds,
        busy_seconds: Callable[[], Seconds],
        released: Callable[[], None] = lambda: None,
        refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._capacity = capacity
        self._released = released
        """Called after each place that is given back."""
        self._refused = refused
        """Called for each `Overloaded`."""
        self._busy_seconds = busy_seconds
        """How long the engine has been busy in all: time in which nobody asks must not count."""
        self._busy_before = busy_seconds()
        self._throughput = Throughput()
        self._pending: Seconds = 0.0
        self._open = 0
        self._closed = False
        self._lock = threading.Lock()

    @property
    def capacity(self) -> Seconds:
        """Beyond so much audio, requests are refused."""
        return self._capacity

    @property
    def pending(self) -> Seconds:
        """Audio seconds admitted and not yet worked off."""
        return self._pending

    @property
    def open_admissions(self) -> int:
        """Requests that have a place."""
        return self._open

    @property
    def real_time_factor(self) -> float:
        """Engine seconds per audio second, measured over the last minutes of audio."""
        return self._throughput.real_time_factor

    def close(self) -> None:
        """Admit nobody from now on."""
        self._closed = True

    def admit(self, audio_seconds: Seconds) -> "Admission":
        """Give a request its place, or a stream, which has no audio that could wait: 0 always has room.

        Raises:
            Overloaded: The backlog has no room for so much audio.
            ShuttingDown: It is closed.
        """
        with self._lock:
            if self._closed:
                raise ShuttingDown("The server is shutting down; send the request to another one.")
            self._require_room(audio_seconds)
            if self._pending <= 0:
                self._busy_before = self._busy_seconds()  # until now the engine was busy for streams alone
            self._pending += audio_seconds
            self._open += 1
        return Admission(self, audio_seconds)

    def has_room(self, more: Seconds) -> bool:
        """Say whether so much more would be admitted now."""
        # What finds nothing before it always has room: else a file longer than the capacity could never be heard.
        return more <= 0 or self._pending <= 0 or self._pending + more <= self._capacity

    def has_spare_room(self, more: Seconds) -> bool:
        """Say whether the backlog would still be at most half full with so much more, or is empty."""
        return self._pending <= 0 or self._pending + more <= self._capacity / 2

    def _require_room(self, more: Seconds) -> None:
        if self.has_room(more):
            return
        self._refused()
        seconds = retry_after_seconds(self._pending + more - self._capacity, self.real_time_factor)
        message = f"The server is busy; try again in {seconds} s."
        raise Overloaded(message, retry_after_seconds=seconds, audio_seconds=more)

    def _change(self, held: Seconds, wanted: Seconds) -> None:
        with self._lock:
            self._pending -= held
            try:
                if wanted > held:
                    self._require_room(wanted)
            except Overloaded:
                self._pending += held
                raise
            self._pending += wanted

    def _advance(self, counted: Seconds, audio_seconds: Seconds) -> None:
        with self._lock:
            self._pending -= counted
            busy = self._busy_seconds()
            self._throughput = self._throughput.after(audio_seconds, busy - self._busy_before)
            self._busy_before = busy

    def _release(self, held: Seconds) -> None:
        with self._lock:
            self._open -= 1
            # Sums of floats leave dust behind, and an empty backlog must read as empty.
            self._pending = self._pending - held if self._open else 0.0
        self._released()


class Admission:
    """One request's place in the backlog; a context manager that gives it back."""

    def __init__(self, backlog: Backlog, audio_seconds: Seconds) -> None:
        self._backlog = backlog
        self._held = audio_seconds
        self._released = False

    def resize(self, audio_seconds: Seconds) -> None:
        """Say how much audio there really is, once it is known.

        Raises:
            Overloaded: There is no room for that much; the place is kept as it was.
        """
        self._backlog._change(self._held, audio_seconds)  # noqa: SLF001 - an Admission is a part of its Backlog
        self._held = audio_seconds

    def advance(self, audio_seconds: Seconds) -> None:
        """Say that so much of the audio is worked off by the engine."""
        counted = min(audio_seconds, self._held)
        self._backlog._advance(counted, audio_seconds)  # noqa: SLF001 - as above
        self._held -= counted

    def release(self) -> None:
        """Give the place back; a second time does nothing."""
        if not self._released:
            self._released = True
            self._backlog._release(self._held)  # noqa: SLF001 - as above

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()
