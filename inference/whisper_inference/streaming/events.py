"""What happens in a stream, for whoever listens to it, and what has to be decoded for it."""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeAlias

from whisper_inference.arrays import FloatArray
from whisper_inference.audio.voice_activity import VoiceActivityRules
from whisper_inference.transcription import Seconds, Segment, TranscriptionOptions


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What a stream asks for."""

    transcription: TranscriptionOptions = field(default_factory=TranscriptionOptions)
    partial_interval: Seconds = 1.0
    """New sound between two hypotheses; more when decoding takes longer."""
    endpoint_silence: Seconds = 0.6
    """A pause of this length ends an utterance."""
    agreement: int = 2
    """Hypotheses in a row that must say the same before their words are stable."""
    voice: VoiceActivityRules = field(default_factory=VoiceActivityRules)
    """When somebody speaks."""
    pre_roll: Seconds = 0.5
    """Kept of a silence: speech begins softly, before it is noticed."""


class Cut(Enum):
    """Why an excerpt ends where it does."""

    NOW = auto()
    """Somebody is speaking: this is a hypothesis."""
    PAUSE = auto()
    """Somebody paused, or the stream is over."""
    FULL = auto()
    """The model hears no more at once."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A stretch of the stream that is to be decoded."""

    samples: FloatArray
    """`[n]` float32, 16 kHz, 30 s at most."""
    start: int
    """Its first sample, counted from the stream's."""
    cut: Cut
    language: str | None
    prompt_tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Partial:
    """How the utterance that is being spoken sounds so far."""

    start: Seconds
    end: Seconds
    stable: str
    """Stays as it is; grows until the utterance's final text, which begins with it."""
    unstable: str
    """May be taken back."""


@dataclass(frozen=True, slots=True)
class Final:
    """A segment that does not change any more."""

    segment: Segment


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Somebody paused: all that was said until then is final."""

    at: Seconds


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """An utterance begins."""

    at: Seconds
    """Where its sound does."""


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The utterance is over; its final text comes next, if it says anything."""

    at: Seconds


@dataclass(frozen=True, slots=True)
class UtteranceSettled:
    """All of the utterance's text has come."""


VoiceEvent: TypeAlias = SpeechBegan | SpeechEnded | UtteranceSettled
"""For each utterance one of each, in this order, whatever it says."""
StreamEvent: TypeAlias = Partial | Final | Endpoint | VoiceEvent
