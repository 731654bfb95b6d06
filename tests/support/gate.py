"""A gate at which a scripted engine is held up."""

import asyncio
import threading

from tests.support.scripted_engine import Call


class Gate:
    """Holds an engine up at one kind of call, until it is opened: pass it as `before`."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._reached = threading.Event()
        self._open = threading.Event()

    def __call__(self, call: Call) -> None:
        """Wait at the gate."""
        if call == self._call:
            self._reached.set()
            if not self._open.wait(10):
                raise TimeoutError("nobody opened the gate")

    async def reached(self) -> None:
        """Wait until the engine stands at the gate."""
        if not await asyncio.to_thread(self._reached.wait, 10):
            raise TimeoutError("the engine never came to the gate")

    def open(self) -> None:
        """Let the engine pass, from now on."""
        self._open.set()
