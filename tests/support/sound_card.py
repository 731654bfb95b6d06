"""A computer's sound, for tests: a module like `sounddevice`, whose microphone plays what it is given."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from whisper_inference.cli.microphone import Take

_FRAME_SECONDS: Final = 0.02
"""Five times as fast as it was said."""


@dataclass(slots=True)
class Flags:
    """What comes with a frame."""

    input_overflow: bool = False


class PortAudioError(Exception):
    """What the library raises."""


class SoundCard:
    """One microphone, or none.

    Args:
        sound: What is said, in samples of 16 bits; `None` where there is no microphone.
        rate: Samples a second.
        then: Called once all of it was said; the device is gone by default.
        overflows: Some of it was lost.
    """

    PortAudioError = PortAudioError

    def __init__(
        self,
        sound: bytes | None,
        rate: int = 16_000,
        then: Callable[[], None] | None = None,
        *,
        overflows: bool = False,
    ) -> None:
        self._sound = sound
        self._rate = rate
        self._then = then
        self._overflows = overflows
        self.opened: list[dict[str, object]] = []
        """How the microphone was opened."""

    def query_devices(self, *, kind: str) -> dict[str, Any]:
        """Describe the default device."""
        if self._sound is None:
            raise PortAudioError(f"Error querying device -1 ({kind})")
        return {"default_samplerate": float(self._rate)}

    @contextmanager
    def RawInputStream(  # noqa: N802 - the library's own
        self, *, blocksize: int, callback: Take, finished_callback: Callable[[], None], **how: object
    ) -> Iterator[None]:
        """Play what is said, on a thread."""
        self.opened.append(how)
        closed = threading.Event()
        speaking = threading.Thread(target=self._speak, args=(2 * blocksize, callback, finished_callback, closed))
        speaking.start()
        try:
            yield
        finally:
            closed.set()
            speaking.join()

    def _speak(self, length: int, take: Take, finished: Callable[[], None], closed: threading.Event) -> None:
        sound = self._sound or b""
        for offset in range(0, len(sound), length):
            take(sound[offset : offset + length], length // 2, None, Flags(input_overflow=self._overflows))
            if closed.wait(_FRAME_SECONDS):
                return
        (self._then or finished)()
