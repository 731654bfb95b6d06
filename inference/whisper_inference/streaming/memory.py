"""`MemoryStreams`: streams of one process, gone with it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from whisper_inference.sessions.expiring import Expiring
from whisper_inference.sessions.store import SessionId
from whisper_inference.streaming.store import KeptSound, KeptStream

_MOST: Final = 1000
"""Streams: one may hold a megabyte and more of sound."""


class MemoryStreams:
    """Keeps streams in a dictionary.

    Args:
        clock: Monotonic seconds.
    """

    shared = False

    def __init__(self, clock: Callable[[], float]) -> None:
        self._streams = Expiring[SessionId, KeptStream](_MOST, clock)

    async def keep(self, key: SessionId, epoch: int, state: bytes, sound: KeptSound, lasting: timedelta) -> bool:
        """Keep a stream."""
        kept = self._streams.get(key)
        if kept is not None and kept.epoch != epoch:
            return False
        self._streams.put(key, KeptStream(state, sound, epoch), lasting)
        return True

    async def append(self, key: SessionId, epoch: int, sound: KeptSound, lasting: timedelta) -> bool:
        """Keep more sound."""
        kept = self._streams.get(key)
        if kept is None or kept.epoch != epoch:
            return False
        longer = KeptSound(kept.sound.samples + sound.samples, sound.place)
        self._streams.put(key, kept._replace(sound=longer), lasting)
        return True

    async def take(self, key: SessionId, lasting: timedelta) -> KeptStream | None:
        """Take a stream over."""
        kept = self._streams.get(key)
        if kept is None:
            return None
        taken = kept._replace(epoch=kept.epoch + 1)
        self._streams.put(key, taken, lasting)
        return taken

    async def forget(self, key: SessionId) -> None:
        """Forget a stream."""
        self._streams.pop(key)
