"""The clock that is handed to whoever needs the time, so that a test can move it."""

from collections.abc import Callable
from typing import TypeAlias

from whisper_inference.transcription import Seconds

Clock: TypeAlias = Callable[[], Seconds]
"""A monotonic clock, as `time.monotonic`."""
