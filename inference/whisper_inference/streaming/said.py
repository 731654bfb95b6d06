"""What a client has said for a while, so that it can be said again."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from typing import Final

from whisper_inference.errors import StreamRefused

_FRAME_BYTES: Final = 8192
_MOST_AHEAD: Final = 1 << 18
"""Bytes that wait to be sent; the source waits, too."""
_MOST_BEHIND: Final = 1 << 22
"""Bytes that are kept once they are sent: 131 seconds of 16 kHz in 16 bits."""


class Said:
    """Reads a source once, and gives its sound to one connection after another.

    Args:
        source: Sound as it comes.
    """

    def __init__(self, source: AsyncIterable[bytes]) -> None:
        self._kept = bytearray()
        self._dropped = 0
        self._sent = 0
        self._over = False
        self._problem: Exception | None = None
        self._changed = asyncio.Condition()
        self._reading = asyncio.create_task(self._read(source))

    def check(self, from_byte: int) -> None:
        """Make sure that the sound from a byte on is kept.

        Raises:
            StreamRefused: It is not.
        """
        if from_byte < self._dropped:
            raise StreamRefused("The server asks for sound that was said too long ago: start another stream.")

    async def frames(self, from_byte: int) -> AsyncIterator[bytes]:
        """Yield sound from a byte on, which is kept, until the source ends."""
        position = from_byte
        while True:
            async with self._changed:
                while not self._over and self._dropped + len(self._kept) <= position:
                    await self._changed.wait()
                offset = position - self._dropped
                frame = bytes(self._kept[offset : offset + _FRAME_BYTES])
                if not frame:
                    return
                position += len(frame)
                self._sent = max(self._sent, position)
                self._forget()
                self._changed.notify_all()
            yield frame

    @property
    def broken(self) -> StreamRefused | None:
        """Why the source broke off, if it did."""
        return None if self._problem is None else StreamRefused(f"The sound broke off: {self._problem}.")

    async def close(self) -> None:
        """Read no more."""
        self._reading.cancel()
        with suppress(asyncio.CancelledError):
            await self._reading

    async def _read(self, source: AsyncIterable[bytes]) -> None:
        try:
            async for frame in source:
                async with self._changed:
                    self._kept += frame
                    self._changed.notify_all()
                    await self._changed.wait_for(lambda: self._dropped + len(self._kept) - self._sent < _MOST_AHEAD)
        except Exception as problem:  # noqa: BLE001 - told to whoever asks for the sound
            self._problem = problem
        async with self._changed:
            self._over = True
            self._changed.notify_all()

    def _forget(self) -> None:
        behind = self._sent - self._dropped - _MOST_BEHIND
        if behind > 0:
            del self._kept[:behind]
            self._dropped += behind
