"""What the transcriber tells whoever measures it."""

from typing import Protocol

from whisper_inference.transcription import DropReason, Seconds


class TranscriberObserver(Protocol):
    """Told of finished transcripts, on the event loop."""

    def transcribed(self, audio_seconds: Seconds, processing_seconds: Seconds) -> None:
        """So much audio was transcribed in so much time, waiting included."""
        ...

    def guard_dropped(self, reason: DropReason) -> None:
        """The guard withheld something."""
        ...
