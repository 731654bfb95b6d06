"""What the transcriber asks of whoever counts the audio."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TypeAlias

from whisper_inference.transcription import Seconds

Metering: TypeAlias = Callable[[Seconds], AbstractAsyncContextManager[None]]
"""Entered once the audio is decoded and its length known, and left when its transcript is done, or has failed."""


def unmetered(_seconds: Seconds) -> AbstractAsyncContextManager[None]:
    """Count nothing: the server's own clip, and the owner of the machine."""
    return nullcontext()
