"""The messages of `whisper.v1`: what client and server tell each other beside the sound. docs/streaming.md explains it.

A server refuses fields and types that it does not know, by name. A client passes over those that it does not know:
later servers of this version may send more.
"""

from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from whisper_inference.audio.opus.parts import OPUS_RATE
from whisper_inference.errors import InvalidRequest
from whisper_inference.streaming import events
from whisper_inference.streaming.events import Partial, StreamEvent
from whisper_inference.streaming.frames import Encoding
from whisper_inference.streaming.recordings import READERS
from whisper_inference.transcription import Segment, Word

PROTOCOL: Final = "whisper.v1"
"""The WebSocket subprotocol."""
_LONGEST_TOKEN: Final = 512
_LONGEST_PROMPT: Final = 4096


class _FromClient(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class _FromServer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class AudioFormat(_FromClient):
    """What the binary frames hold: samples of one channel, or a recording that says itself what it holds."""

    encoding: Encoding = "pcm_s16le"
    sample_rate: int = Field(16_000, ge=8_000, le=48_000)
    """Of Opus always 48000, whatever the microphone had."""

    @model_validator(mode="before")
    @classmethod
    def _opus_rate(cls, given: object) -> object:
        # In a tuple: a client may send a list, which has no hash to look it up by.
        if isinstance(given, dict) and given.get("encoding") in tuple(READERS):
            return {"sample_rate": OPUS_RATE} | given
        return given

    @model_validator(mode="after")
    def _check_rate(self) -> Self:
        if self.encoding in READERS and self.sample_rate != OPUS_RATE:
            raise PydanticCustomError("opus_rate", "Opus has 48000 samples a second: leave sample_rate out")
        return self


class Start(_FromClient):
    """Begins a stream. The first message; everything in it has a default."""

    type: Literal["start"]
    token: SecretStr | None = Field(None, max_length=_LONGEST_TOKEN)
    """An API key, a session's token or a stream token, where no `Authorization` header could be sent."""
    audio: AudioFormat = AudioFormat()
    language: str | None = Field(None, max_length=32)
    """Code or English name; detected from the first utterance by default."""
    task: Literal["transcribe", "translate"] = "transcribe"
    prompt: str | None = Field(None, max_length=_LONGEST_PROMPT)
    """Text that comes before: names, spelling, style."""
    partial_interval_seconds: float | None = Field(None, ge=0.2, le=10)
    """New sound between two partial results; more while the server is busy. By default as the server is set, 1.0."""
    endpoint_silence_seconds: float | None = Field(None, ge=0.2, le=5)
    """A pause of this length ends an utterance. By default as the server is set, 0.6."""
    agreement: int = Field(2, ge=1, le=4)
    """Hypotheses in a row that must say the same before their words are stable."""
    word_timestamps: bool = False
    guard: bool = True
    """Withhold words that nobody said."""


class Resume(_FromClient):
    """Goes on with a stream whose connection was lost. The first message of another one."""

    type: Literal["resume"]
    token: SecretStr | None = Field(None, max_length=_LONGEST_TOKEN)
    """As in `start`."""
    resume_token: SecretStr = Field(min_length=1, max_length=_LONGEST_TOKEN)
    """As `ready` gave it."""
    finals: int = Field(0, ge=0)
    """How many final segments came: later ones are sent again."""


class Finish(_FromClient):
    """No more sound will come: the server answers with what is left, and closes."""

    type: Literal["finish"]


ClientMessage: TypeAlias = Annotated[Start | Resume | Finish, Field(discriminator="type")]
_CLIENT_MESSAGE: Final[TypeAdapter[Start | Resume | Finish]] = TypeAdapter(ClientMessage)


class Limits(_FromServer):
    """What the server bounds."""

    start_seconds: float
    """Until the first message must have come."""
    idle_seconds: float
    """A stream without a frame for so long ends."""
    longest_seconds: float
    """Any stream ends after this."""
    largest_frame_bytes: int
    resume_seconds: float


class Ready(_FromServer):
    """The stream is open; sound may come."""

    type: Literal["ready"] = "ready"
    protocol: Literal["whisper.v1"] = "whisper.v1"
    model: str
    device: str
    languages: tuple[str, ...]
    limits: Limits
    resume_token: str
    """Goes on with the stream over another connection, to any replica, until it was left for `resume_seconds`."""
    from_sample: int
    """Of the client's own, counted from its first: where its sound is to go on. 0 for a new stream."""
    from_byte: int
    """The same, counted in bytes of binary frames."""


class PartialText(_FromServer):
    """How the utterance that is being spoken sounds so far; replaces the partial before."""

    type: Literal["partial"] = "partial"
    start: float
    """Seconds from the stream's first sample."""
    end: float
    stable_text: str
    """Only ever grows until it is final."""
    unstable_text: str
    """May change."""

    @classmethod
    def of(cls, partial: Partial) -> "PartialText":
        """Describe a partial result."""
        return cls(**_times(partial), stable_text=partial.stable, unstable_text=partial.unstable)


class FinalWord(_FromServer):
    """One word and when it was said."""

    word: str
    start: float
    end: float
    probability: float


class FinalSegment(_FromServer):
    """A segment that changes no more; takes the place of the partial that it grew from."""

    type: Literal["final"] = "final"
    id: int
    start: float
    end: float
    text: str
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    words: tuple[FinalWord, ...] | None
    """`null` unless they were asked for."""

    @classmethod
    def of(cls, segment: Segment, *, words: bool) -> "FinalSegment":
        """Describe a segment."""
        listed = [FinalWord(word=each.text, **_times(each), probability=each.probability) for each in segment.words]
        return cls(
            id=segment.id,
            **_times(segment),
            text=segment.text,
            avg_logprob=segment.avg_logprob,
            no_speech_prob=segment.no_speech_prob,
            compression_ratio=segment.compression_ratio,
            words=tuple(listed) if words else None,
        )


class EndpointReached(_FromServer):
    """Somebody paused: all that was said before is final."""

    type: Literal["endpoint"] = "endpoint"
    at: float


class Status(_FromServer):
    """How far behind the server is; sent every few seconds while sound comes."""

    type: Literal["status"] = "status"
    heard_seconds: float
    """Sound that came."""
    lag_seconds: float
    """How old the newest sound is that a result covers."""
    interval_seconds: float
    """New sound between two partials: it stretches while the server is busy."""


class Drain(_FromServer):
    """This server stops: go on with another one. Where none can, what was heard becomes final first."""

    type: Literal["drain"] = "drain"


class Usage(_FromServer):
    """What was used, as OpenAI writes it."""

    type: Literal["duration"] = "duration"
    seconds: float


EndReason: TypeAlias = Literal["finished", "idle", "longest", "drain"]
"""Why a stream ended: its client was done, or silent, or had its time, or the server stops."""


class Closed(_FromServer):
    """The last message: totals."""

    type: Literal["closed"] = "closed"
    reason: EndReason
    segments: int
    language: str | None
    usage: Usage


ServerMessage: TypeAlias = Annotated[
    Ready | PartialText | FinalSegment | EndpointReached | Status | Drain | Closed, Field(discriminator="type")
]
"""All but `error`, which holds the one error object."""


def parse_message(text: str) -> Start | Resume | Finish:
    """Understand a client's message.

    Raises:
        InvalidRequest: It is none; the sentence says which field, and repeats no value.
    """
    try:
        return _CLIENT_MESSAGE.validate_json(text)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"] if part not in {"start", "resume", "finish"})
        raise InvalidRequest(f"{where or 'The message'}: {first['msg']}.", param=where[:64] or None) from None


def message_of(event: StreamEvent, *, words: bool) -> ServerMessage | None:
    """Word what happened; `None` where this protocol has no words for it."""
    match event:
        case events.Partial():
            return PartialText.of(event)
        case events.Final():
            return FinalSegment.of(event.segment, words=words)
        case events.Endpoint():
            return EndpointReached(at=round(event.at, 2))
        case events.SpeechBegan() | events.SpeechEnded() | events.UtteranceSettled():
            return None


def _times(timed: Segment | Word | Partial) -> dict[str, float]:
    return {"start": round(timed.start, 2), "end": round(timed.end, 2)}
