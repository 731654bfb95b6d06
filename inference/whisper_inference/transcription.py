"""The words of the domain: what a person asks for and what a transcription is made of.

Times are seconds from the start of the audio unless a name says otherwise. Nothing here knows HTTP, an engine or
a file format.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

Seconds: TypeAlias = float
"""A duration, or a position in the audio, in seconds."""

Task: TypeAlias = Literal["transcribe", "translate"]

DEFAULT_TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""The fallback ladder of openai-whisper's `transcribe`: the next one is tried when a result fails its checks."""


class DropReason(StrEnum):
    """Why the guard withheld text that the model produced."""

    NO_VOICE = "no_voice"
    """Voice activity detection heard nobody in that span."""
    NO_SPEECH = "no_speech"
    """The model's own no-speech probability was high and its confidence low."""
    REPETITION = "repetition"
    """The text repeats itself in a loop."""
    COMPRESSION_RATIO = "compression_ratio"
    """The text compresses too well to be speech (gzip ratio above the threshold)."""
    LOW_LOGPROB = "low_logprob"
    """The mean log-probability of its tokens is under the threshold."""


@dataclass(frozen=True, slots=True)
class TranscriptionOptions:
    """What one request asks for. The defaults are openai-whisper's own where it has one."""

    task: Task = "transcribe"
    language: str | None = None
    """ISO 639-1 code as Whisper spells it (`en`, `yue`); `None` detects it from the first 30 s."""
    prompt: str | None = None
    """Text that comes before the audio: names, spelling, style."""
    temperatures: tuple[float, ...] = DEFAULT_TEMPERATURES
    """Tried in order until a result passes its checks; a single one means no fallback."""
    beam_size: int | None = None
    """Beam search at temperature 0; `None` is greedy."""
    patience: float = 1.0
    length_penalty: float | None = None
    """Google's length penalty alpha; `None` divides by the length."""
    best_of: int | None = None
    """Independent samples at a temperature above 0; the most likely one is kept."""
    timestamps: bool = True
    """Let the model predict segment times; without, a segment is a whole window."""
    word_timestamps: bool = False
    condition_on_previous_text: bool = True
    compression_ratio_threshold: float | None = 2.4
    logprob_threshold: float | None = -1.0
    no_speech_threshold: float | None = 0.6
    long_form: Literal["sequential", "batched"] = "sequential"
    """`sequential` follows the predicted times window by window; `batched` decodes speech segments at once."""
    guard: bool = True
    """Withhold invented words (silence, noise, repetition loops)."""
    logprobs: bool = False
    """Keep the log-probability of each token in the result."""
    seed: int = 0
    """For sampling above temperature 0: the same request gives the same text."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word and when it was said."""

    text: str
    """As the model wrote it, with its leading space."""
    start: Seconds
    end: Seconds
    probability: float


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One text token and its log-probability (natural logarithm)."""

    token_id: int
    text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech with its text: the fields are those of OpenAI's `verbose_json`."""

    id: int
    seek: int
    """Frame (10 ms) at which the window that holds this segment begins."""
    start: Seconds
    end: Seconds
    text: str
    """As the model wrote it, with its leading space."""
    tokens: tuple[int, ...]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    words: tuple[Word, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Dropped:
    """Text that the guard withheld, and why: for logs at DEBUG, metrics and the verbose result."""

    reason: DropReason
    start: Seconds
    end: Seconds
    text: str
    """Empty when the span was never decoded."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """The whole result of one request."""

    task: Task
    language: str
    """ISO 639-1 code, asked for or detected."""
    duration: Seconds
    segments: tuple[Segment, ...]
    dropped: tuple[Dropped, ...] = ()

    @property
    def text(self) -> str:
        """The text of all segments, joined as the model wrote it and stripped at both ends."""
        return "".join(segment.text for segment in self.segments).strip()

    @property
    def words(self) -> tuple[Word, ...]:
        """The words of all segments, in order; empty unless they were asked for."""
        return tuple(word for segment in self.segments for word in segment.words)
