"""One window of audio on its way through decoding: what goes in, what comes out, what the rules know of the model."""

from dataclasses import dataclass

from whisper_inference.arrays import FloatArray
from whisper_inference.models.checkpoint import Checkpoint
from whisper_inference.models.dimensions import ModelDimensions
from whisper_inference.models.tokenizer import Tokenizer
from whisper_inference.transcription import Seconds, Segment

FRAMES_PER_SECOND = 100
"""Columns of the log-mel spectrogram: a hop of 160 samples at 16 kHz."""
FRAMES_PER_WINDOW = 3000
FRAMES_PER_TOKEN = 2
"""The encoder halves the frames once: a timestamp token is 0.02 s."""


@dataclass(frozen=True, slots=True)
class DecodingModel:
    """What the rules must know of a checkpoint."""

    dimensions: ModelDimensions
    tokenizer: Tokenizer
    suppressed_tokens: tuple[int, ...]

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "DecodingModel":
        """Take what decoding needs of a checkpoint; its weights are the engine's."""
        return cls(checkpoint.dimensions, checkpoint.tokenizer, checkpoint.suppressed_tokens)

    @property
    def longest_prompt(self) -> int:
        """Tokens of previous text that a window may begin with."""
        return self.dimensions.text_context // 2 - 1


@dataclass(frozen=True, slots=True)
class WindowInput:
    """A window and where it stands."""

    log_mel: FloatArray
    """`[mel_bins, 3000]` float32, padded with zeros after `frames`."""
    seek: int
    """Frame of the whole audio at which the window begins."""
    frames: int
    """Frames of the window that are audio and not padding."""
    language: str | None
    """`None`: detect it from this window."""
    prompt_tokens: tuple[int, ...] = ()
    """Text before this window, most recent last."""
    last_speech: Seconds = 0.0
    """Where the words before this window ended."""
    heard_once: bool = False
    """No later window hears its end again, so text without a closing time is kept."""


@dataclass(frozen=True, slots=True)
class WindowTranscript:
    """What was heard in a window. Times are those of the whole audio; segment ids count from 0."""

    segments: tuple[Segment, ...]
    language: str
    next_seek: int
    """Frame at which the following window should begin: behind the last finished segment."""
    temperature: float
    """The temperature of the attempt that was kept."""
    silent: bool = False
    """The model heard no speech: nothing was said, rather than nothing understood."""
