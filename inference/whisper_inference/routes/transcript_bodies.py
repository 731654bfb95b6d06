"""What the routes that transcribe answer with, as models; `formats` builds it, and a test holds the two together."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from whisper_contract.surface import DEVICE_HEADER
from whisper_inference.errors import (
    AudioDecodingTimeout,
    AudioTooLong,
    EngineFailed,
    ModelNotFound,
    Overloaded,
    UnreadableAudio,
    UnsupportedAudioFormat,
    UnsupportedField,
)
from whisper_inference.routes.description import audio_form, may_raise, with_headers
from whisper_inference.routes.description.answers import Json, Responses
from whisper_inference.routes.form_fields import FIELDS, names_for
from whisper_inference.transcription import DropReason, Task

_FORBID: Final = ConfigDict(extra="forbid")
_TEXT: Final = "Two sentences were read, and this is what was heard."
_EXAMPLE: Final[Json] = {"text": _TEXT, "usage": {"type": "duration", "seconds": 5}}
_VERBOSE_EXAMPLE: Final[Json] = {
    "task": "transcribe",
    "language": "english",
    "duration": 4.6,
    "text": _TEXT,
    "words": [{"word": "Two", "start": 0.0, "end": 0.3}],
    "usage": {"type": "duration", "seconds": 5},
    "guard": {"dropped": []},
}


class Usage(BaseModel):
    """What is charged: whole seconds of audio."""

    model_config = _FORBID

    type: Literal["duration"]
    seconds: int


class TokenLogprobBody(BaseModel):
    """A token, and how likely it was."""

    model_config = _FORBID

    token: str
    logprob: float
    bytes: list[int]


class TranscriptBody(BaseModel):
    """The format `json`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    text: str
    logprobs: list[TokenLogprobBody] = Field(default=[], description="If `include[]` asked for them.")
    usage: Usage


class WordBody(BaseModel):
    """A word, and when it was said."""

    model_config = _FORBID

    word: str
    start: float
    end: float


class SegmentBody(BaseModel):
    """A stretch of speech."""

    model_config = _FORBID

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class DroppedBody(BaseModel):
    """Text that was withheld, for nobody said it."""

    model_config = _FORBID

    reason: DropReason
    start: float
    end: float
    text: str


class GuardBody(BaseModel):
    """What the guard against invented words did."""

    model_config = _FORBID

    dropped: list[DroppedBody]


class VerboseTranscriptBody(BaseModel):
    """The format `verbose_json`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_VERBOSE_EXAMPLE]})

    task: Task
    language: str = Field(description="Its English name.")
    duration: float = Field(description="Seconds of audio.")
    text: str
    words: list[WordBody] = Field(default=[], description="If `timestamp_granularities[]` asked for them.")
    segments: list[SegmentBody] = Field(default=[], description="Unless words alone were asked for.")
    usage: Usage
    guard: GuardBody


AUDIO_ERRORS: Final = may_raise(
    UnsupportedField,
    UnreadableAudio,
    AudioDecodingTimeout,
    AudioTooLong,
    UnsupportedAudioFormat,
    ModelNotFound,
    Overloaded,
    EngineFailed,
)
"""What can go wrong with a recording."""


def form_body(task: Task) -> Json:
    """Describe the form of a task, for a route's `openapi_extra`."""
    fields = {name: each.schema(name) for name, each in FIELDS.items() if name in names_for(task)}
    return audio_form(fields, ["model"], {"model": "whisper-1", "response_format": "json"})


def plain_transcript_responses() -> Responses:
    """Describe a transcript that is answered whole, wherever it was computed."""
    whole = transcript_responses("translate")[200]
    return {200: {key: whole[key] for key in ("model", "description", "content")}}


def transcript_responses(task: Task) -> Responses:
    """Describe what a form of the task is answered with, for a route's `responses`."""
    subtitles = "1\n00:00:00,000 --> 00:00:04,600\n" + _TEXT + "\n"
    event = f'data: {{"type": "transcript.text.delta", "delta": "{_TEXT}", "segment_id": "0"}}\n\n'
    content: Json = {
        "application/json": {"examples": {"json": {"value": _EXAMPLE}, "verbose_json": {"value": _VERBOSE_EXAMPLE}}},
        "text/plain": {
            "schema": {"type": "string"},
            "examples": {"text": {"value": _TEXT}, "srt": {"value": subtitles}},
        },
        "text/vtt": {"schema": {"type": "string"}, "example": "WEBVTT\n\n00:00:00.000 --> 00:00:04.600\n" + _TEXT},
    }
    if task == "transcribe":
        content["text/event-stream"] = {"schema": {"type": "string"}, "example": event}
    answer: Json = {
        "model": TranscriptBody | VerboseTranscriptBody,
        "description": "The transcript.",
        "content": content,
    }
    return AUDIO_ERRORS | {200: answer | with_headers(DEVICE_HEADER)}
