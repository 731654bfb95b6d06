"""One pass at a time per resource: triggers that come meanwhile merge into one more pass."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, Generic, TypeVar

from whisper_operator.errors import Unavailable

logger = logging.getLogger(__name__)

KeyT = TypeVar("KeyT")

_FIRST_RETRY: Final = timedelta(seconds=1)
_LONGEST_RETRY: Final = timedelta(minutes=2)


class SerialRunner(Generic[KeyT]):
    """Runs a pass for each key that was triggered; one that fails is run again, later and later.

    Belongs to one event loop.
    """

    def __init__(
        self, run: Callable[[KeyT], Awaitable[timedelta | None]], *, at_once: int, pause: timedelta = timedelta()
    ) -> None:
        self._run = run
        self._pause = pause
        """Between two passes over a key: each child that a pass writes asks for the next one."""
        self._places = asyncio.Semaphore(at_once)
        self._tasks: dict[KeyT, asyncio.Task[None]] = {}
        self._again: set[KeyT] = set()
        self._timers: dict[KeyT, asyncio.TimerHandle] = {}
        self._failures: dict[KeyT, int] = {}

    @property
    def busy(self) -> int:
        """Keys with a pass that runs or waits for its place."""
        return len(self._tasks)

    def trigger(self, key: KeyT) -> None:
        """Ask for a pass that begins after this call."""
        if key in self._tasks:
            self._again.add(key)
            return
        self._forget_timer(key)
        self._tasks[key] = asyncio.get_running_loop().create_task(self._work(key))

    async def idle(self) -> None:
        """Wait until nothing runs; timers may still be set."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def close(self) -> None:
        """Stop: passes that run are cancelled, and nothing is triggered by time any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, key: KeyT) -> None:
        try:
            while True:
                async with self._places:
                    self._again.discard(key)
                    delay = await self._attempt(key)
                if key not in self._again:
                    break
                await asyncio.sleep(self._pause.total_seconds())
        finally:
            del self._tasks[key]
        if delay is not None:
            self._forget_timer(key)
            loop = asyncio.get_running_loop()
            self._timers[key] = loop.call_later(delay.total_seconds(), self._due, key)

    async def _attempt(self, key: KeyT) -> timedelta | None:
        try:
            delay = await self._run(key)
        except Unavailable as problem:
            return self._later(key, problem, timedelta(seconds=problem.retry_after_seconds or 0))
        except Exception as problem:  # noqa: BLE001 - as below
            # The boundary of a task: whatever it was, the next pass begins anew, and other keys go on.
            return self._later(key, problem)
        self._failures.pop(key, None)
        return delay

    def _later(self, key: KeyT, problem: Exception, asked: timedelta = timedelta()) -> timedelta:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        retry = max(asked, min(_FIRST_RETRY * (1 << min(failures - 1, 16)), _LONGEST_RETRY))
        expected = isinstance(problem, Unavailable)
        logger.warning(
            "The pass over %s failed (%s); the next one is in %.0f s",
            key,
            problem,
            retry.total_seconds(),
            exc_info=None if expected else problem,
        )
        return retry

    def _due(self, key: KeyT) -> None:
        self._timers.pop(key, None)
        self.trigger(key)

    def _forget_timer(self, key: KeyT) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
