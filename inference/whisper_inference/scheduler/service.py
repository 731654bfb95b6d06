"""The scheduler as the event loop sees it: admission, one window's decoding, draining."""

import asyncio
import itertools
import logging
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass

from whisper_inference.decoding.requests import ResultT
from whisper_inference.engines.base import Capabilities, Engine
from whisper_inference.errors import EngineFailed, InvalidRequest, ShuttingDown
from whisper_inference.scheduler.backlog import Admission, Backlog
from whisper_inference.scheduler.jobs import Job, Lane, WindowWork
from whisper_inference.scheduler.loop import EngineLoop
from whisper_inference.scheduler.observer import SchedulerObserver
from whisper_inference.timing import Clock
from whisper_inference.transcription import Seconds

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SchedulerSettings:
    """What bounds the scheduler."""

    max_backlog: Seconds = 1800.0
    """Audio admitted and not yet worked off; beyond it requests are refused as `Overloaded`."""
    windows_per_turn: int = 4
    """Windows encoded between two steps: more fill the batch sooner and hold up the rows that run for longer."""
    patience: Seconds = 120.0
    """How long one engine call may take before the engine counts as stalled: a slow CPU's largest encoder fits."""


class Scheduler:
    """Shares one engine between all requests, on one thread of its own.

    Coroutines of any event loop may call it. The engine is called on the scheduler's thread only, and is closed by
    whoever made it, after `close`.
    """

    def __init__(
        self,
        engine: Engine,
        observer: SchedulerObserver,
        settings: SchedulerSettings | None = None,
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        settings = settings or SchedulerSettings()
        self._capabilities = engine.capabilities
        self._clock = clock
        self._loop = EngineLoop(engine, settings.windows_per_turn, settings.patience, observer, clock)
        self._backlog = Backlog(
            settings.max_backlog, lambda: self._loop.busy_seconds, self._check_idle, observer.overloaded
        )
        self._orders = itertools.count()
        self._changed = threading.Condition()
        # All below is guarded by the condition.
        self._arrived: list[Job] = []
        self._unfinished: set[Job] = set()
        self._draining = False
        self._closing = False
        self._broken = False
        self._idle: Future[None] | None = None
        self._thread = threading.Thread(target=self._run, name="whisper-engine", daemon=True)

    @property
    def capabilities(self) -> Capabilities:
        """What the engine can do."""
        return self._capabilities

    @property
    def backlog_seconds(self) -> Seconds:
        """Audio admitted and not yet worked off."""
        return self._backlog.pending

    @property
    def max_backlog(self) -> Seconds:
        """Beyond so much of it, requests are refused."""
        return self._backlog.capacity

    @property
    def slots_in_use(self) -> int:
        """Rows of the decoder batch that are taken."""
        return self._loop.slots_in_use

    @property
    def waiting_windows(self) -> int:
        """Windows that wait for rows."""
        return len(self._arrived) + self._loop.waiting_windows

    @property
    def real_time_factor(self) -> float:
        """Engine seconds per audio second, all requests together, measured over the last minutes of audio."""
        return self._backlog.real_time_factor

    @property
    def spent_on_streams(self) -> Seconds:
        """Engine seconds that streams took since the start."""
        return self._loop.spending.on(Lane.STREAMS)

    @property
    def cheapest_window(self) -> Seconds | None:
        """Engine seconds of the window that took the least; `None` before the first."""
        return self._loop.spending.cheapest_window

    @property
    def last_progress(self) -> Seconds:
        """When, on the scheduler's clock, the engine last answered."""
        return self._loop.health.last_progress

    def stalled(self, now: Seconds) -> bool:
        """Say whether the engine fails again and again, hangs, or its thread is gone: for liveness."""
        return self._broken or self._loop.health.stalled(now)

    def start(self) -> None:
        """Start the engine's thread."""
        self._thread.start()

    def admit(self, audio_seconds: Seconds) -> Admission:
        """Give a request its place in the backlog, until the admission is released.

        Raises:
            Overloaded: The backlog is full; says when to come back.
            ShuttingDown: The server drains.
        """
        return self._backlog.admit(audio_seconds)

    def has_room(self, audio_seconds: Seconds) -> bool:
        """Say whether so much would be admitted now."""
        return self._backlog.has_room(audio_seconds)

    def has_spare_room(self, audio_seconds: Seconds) -> bool:
        """Say whether the backlog would still be at most half full with so much more, or is empty."""
        return self._backlog.has_spare_room(audio_seconds)

    async def decode(self, work: WindowWork[ResultT]) -> ResultT:
        """Decode one window; cancelling the caller frees its rows before the next step.

        Work of admitted requests is taken while the scheduler drains: they are what it waits for.

        Raises:
            ShuttingDown: The scheduler is closed, or drains and nothing is admitted.
            EngineFailed: The engine raised while it computed this window.
            InvalidRequest: More rows than the engine has.
        """
        if work.rows > self._capabilities.max_rows:
            raise InvalidRequest(f"This needs {work.rows} rows; the engine has {self._capabilities.max_rows}.")
        job = Job(work, self._clock(), next(self._orders))
        self._submit(job)
        try:
            result: ResultT = await asyncio.wrap_future(job.future)
        finally:
            with self._changed:
                self._unfinished.discard(job)
            self._check_idle()
        return result

    async def drain(self, patience: Seconds) -> bool:
        """Admit nothing new and wait for what is admitted.

        Returns:
            Whether all of it ended within `patience`.
        """
        with self._changed:
            self._draining = True
            self._idle = self._idle or Future()
            idle = self._idle
        self._backlog.close()
        self._check_idle()
        done, _ = await asyncio.wait([asyncio.wrap_future(idle)], timeout=patience)
        return bool(done)

    def close(self, patience: Seconds = 30.0) -> None:
        """Stop the thread and fail what is left with `ShuttingDown`; a second time does nothing.

        Blocks until the engine's current call returns, `patience` at most: an engine that hangs is left behind.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._backlog.close()
        if self._thread.ident is not None:
            self._thread.join(patience)
        with self._changed:
            left = tuple(self._unfinished)
        for job in left:
            job.fail(ShuttingDown("The server is shutting down; send the request to another one."))

    def _submit(self, job: Job) -> None:
        with self._changed:
            if self._broken:
                raise EngineFailed("The engine has stopped; the server needs a restart.")
            if self._closing or (self._draining and self._backlog.open_admissions == 0):
                raise ShuttingDown("The server is shutting down; send the request to another one.")
            self._arrived.append(job)
            self._unfinished.add(job)
            self._changed.notify()

    def _check_idle(self) -> None:
        with self._changed:
            idle = self._idle
            busy = self._unfinished or self._backlog.open_admissions > 0
            if idle is not None and not busy and not idle.done():
                idle.set_result(None)

    # The engine's thread

    def _run(self) -> None:
        problem: Exception = ShuttingDown("The server is shutting down; send the request to another one.")
        try:
            while self._take_arrived():
                self._loop.turn()
        except Exception as error:
            logger.critical("The engine's thread ended", exc_info=error)
            problem = EngineFailed("The engine has stopped; the server needs a restart.")
        with self._changed:
            self._broken = isinstance(problem, EngineFailed)
            arrived, self._arrived = self._arrived, []
        for job in arrived:
            self._loop.add(job)
        self._loop.abandon(problem)

    def _take_arrived(self) -> bool:
        """Hand new jobs to the loop, waiting for one if there is nothing else to do; false at the end."""
        with self._changed:
            while not (self._arrived or self._closing or self._loop.has_work):
                self._changed.wait()
            arrived, self._arrived = self._arrived, []
            closing = self._closing
        for job in arrived:
            self._loop.add(job)
        return not closing
