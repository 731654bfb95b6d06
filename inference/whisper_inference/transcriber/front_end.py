"""What the transcriber asks of whoever turns an upload into features."""

from dataclasses import dataclass
from typing import BinaryIO, Protocol, TypeAlias

from whisper_inference.arrays import FloatArray
from whisper_inference.decoding.long_form import SpokenAudio
from whisper_inference.transcription import Seconds

Source: TypeAlias = bytes | BinaryIO | FloatArray
"""An upload: its bytes, or a stream to read them from; or samples, where somebody has decoded it already."""


Span: TypeAlias = tuple[Seconds, Seconds]
"""Start and end of a stretch of speech."""


@dataclass(frozen=True, slots=True)
class PreparedAudio:
    """What the model and the guard need of an upload."""

    duration: Seconds
    sound: SpokenAudio
    """Its features; no frames where nobody speaks, as far as that was asked."""
    speech: tuple[Span, ...] | None
    """Where somebody speaks; `None` if that was not asked."""

    @property
    def silent(self) -> bool:
        """Nobody speaks in it, as far as that was asked."""
        return self.speech is not None and not self.speech


class FrontEnd(Protocol):
    """Whatever makes features of an upload."""

    async def prepare(self, source: Source, *, find_speech: bool) -> PreparedAudio:
        """Decode an upload and compute its features.

        Raises:
            WhisperError: The upload is refused, with the fact that says why.
        """
        ...
