"""A microphone of this computer, through `sounddevice`: optional, so it is imported when somebody asks for it."""

import asyncio
import importlib
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Final, Protocol, cast

from whisper_inference.errors import MicrophoneUnavailable

_FRAMES_A_SECOND: Final = 10
_LOWEST_RATE, _HIGHEST_RATE = 8_000, 48_000
"""Of the protocol."""
_MOST_WAITING: Final = 600
"""Frames: a minute. A server that is so far behind will not catch up."""


class Flags(Protocol):
    """What PortAudio says of a frame."""

    input_overflow: bool
    """Sound before it was lost."""


Take = Callable[[bytes, int, object, Flags], None]
"""Gets a frame, its samples, its times and its flags; on a thread of PortAudio."""


class SoundLibrary(Protocol):
    """What is used of `sounddevice`."""

    PortAudioError: type[Exception]

    def query_devices(self, *, kind: str) -> Mapping[str, Any]:
        """Describe the default device."""
        ...

    def RawInputStream(  # noqa: N802 - the library's own
        self,
        *,
        samplerate: int,
        channels: int,
        dtype: str,
        blocksize: int,
        callback: Take,
        finished_callback: Callable[[], None],
    ) -> AbstractContextManager[object]:
        """Open the default microphone; it records while the context lasts."""
        ...


def load_sound_library() -> SoundLibrary:
    """Import `sounddevice`.

    Raises:
        MicrophoneUnavailable: It, or the PortAudio that it needs, is not installed.
    """
    try:
        return cast("SoundLibrary", importlib.import_module("sounddevice"))  # it has no types
    except ImportError as problem:
        raise MicrophoneUnavailable(
            "The microphone needs the package sounddevice: pip install 'whisper-operator[inference,microphone]'."
        ) from problem
    except OSError as problem:  # it looks for PortAudio when it is imported
        raise MicrophoneUnavailable(
            f"The microphone needs the PortAudio library ({problem}): on Debian and Ubuntu, apt install libportaudio2."
        ) from problem


class Microphone:
    """What somebody says, at the device's own rate.

    Args:
        rate: Samples a second.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.gaps = 0
        """How often this computer was too busy to take sound, which is lost."""
        self._frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._behind = False
        self._loop = asyncio.get_running_loop()

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield what is said until there is no more.

        Raises:
            MicrophoneUnavailable: Nobody took the sound of a minute.
        """
        while (frame := await self._frames.get()) is not None:
            yield frame
        if self._behind:
            raise MicrophoneUnavailable("the server was a minute behind the microphone")

    def end(self) -> None:
        """Hear no more than what is there."""
        self._frames.put_nowait(None)

    def take(self, data: bytes, _samples: int, _times: object, flags: Flags) -> None:
        """Take a frame in, on any thread."""
        self._tell(self._put, bytes(data), flags.input_overflow)

    def finished(self) -> None:
        """Take in that the device is gone, on any thread."""
        self._tell(self.end)

    def _tell(self, what: Callable[..., object], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(what, *arguments)

    def _put(self, frame: bytes, overflowed: bool) -> None:  # noqa: FBT001 - the loop passes no names
        self.gaps += overflowed
        if self._behind:
            return
        if self._frames.qsize() < _MOST_WAITING:
            self._frames.put_nowait(frame)
        else:
            self._behind = True
            self.end()


@contextmanager
def open_microphone(library: SoundLibrary) -> Iterator[Microphone]:
    """Record from the default microphone while the context lasts; SIGINT ends the sound, and a second one the program.

    Raises:
        MicrophoneUnavailable: There is none, or another program has it.
    """
    try:
        device = library.query_devices(kind="input")
        microphone = Microphone(min(max(int(device["default_samplerate"]), _LOWEST_RATE), _HIGHEST_RATE))
        opened = library.RawInputStream(
            samplerate=microphone.rate,
            channels=1,
            dtype="int16",
            blocksize=microphone.rate // _FRAMES_A_SECOND,
            callback=microphone.take,
            finished_callback=microphone.finished,
        )
        with opened, _interrupts(microphone.end):
            yield microphone
    except library.PortAudioError as problem:
        raise MicrophoneUnavailable(
            f"No microphone can be used ({problem}): plug one in, or choose one in the system's settings."
        ) from problem


@contextmanager
def _interrupts(end: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def once() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        end()

    with suppress(NotImplementedError):  # Windows: it ends the program
        loop.add_signal_handler(signal.SIGINT, once)
    try:
        yield
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)
