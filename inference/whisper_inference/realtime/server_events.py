"""What a client of OpenAI's Realtime transcription is told. Each gets an `event_id` when it is sent."""

from typing import Any, Literal, TypeAlias

from pydantic import BaseModel

from whisper_inference.transcription import TokenLogprob


class SessionTold(BaseModel):
    """How the session is set."""

    type: Literal[
        "session.created", "session.updated", "transcription_session.created", "transcription_session.updated"
    ]
    session: dict[str, Any]


class SpeechStarted(BaseModel):
    """Somebody began to speak."""

    type: Literal["input_audio_buffer.speech_started"] = "input_audio_buffer.speech_started"
    audio_start_ms: int
    """Of all sound that was appended; where the turn's begins."""
    item_id: str


class SpeechStopped(BaseModel):
    """Somebody paused."""

    type: Literal["input_audio_buffer.speech_stopped"] = "input_audio_buffer.speech_stopped"
    audio_end_ms: int
    item_id: str


class Committed(BaseModel):
    """A turn is over; its text follows."""

    type: Literal["input_audio_buffer.committed"] = "input_audio_buffer.committed"
    item_id: str
    previous_item_id: str | None


class Cleared(BaseModel):
    """What came since the last turn is forgotten."""

    type: Literal["input_audio_buffer.cleared"] = "input_audio_buffer.cleared"


class Content(BaseModel):
    """What somebody said, before it is text."""

    type: Literal["input_audio"] = "input_audio"
    transcript: None = None


class Item(BaseModel):
    """A turn, as a message of the user's."""

    id: str
    object: Literal["realtime.item"] = "realtime.item"
    type: Literal["message"] = "message"
    status: Literal["completed"] = "completed"
    role: Literal["user"] = "user"
    content: tuple[Content] = (Content(),)


class ItemTold(BaseModel):
    """There is another turn; `created` is the older word for the two."""

    type: Literal["conversation.item.added", "conversation.item.done", "conversation.item.created"]
    previous_item_id: str | None
    item: Item


class Delta(BaseModel):
    """More of a turn's text, which will not be taken back."""

    type: Literal["conversation.item.input_audio_transcription.delta"] = (
        "conversation.item.input_audio_transcription.delta"
    )
    item_id: str
    content_index: Literal[0] = 0
    delta: str


class Logprob(BaseModel):
    """A token, and how probable it was."""

    token: str
    bytes: tuple[int, ...]
    logprob: float

    @classmethod
    def of(cls, token: TokenLogprob) -> "Logprob":
        """Describe a token."""
        return cls(token=token.text, bytes=tuple(token.text.encode()), logprob=token.logprob)


class Usage(BaseModel):
    """How much sound a turn had."""

    type: Literal["duration"] = "duration"
    seconds: float


class Completed(BaseModel):
    """All of a turn's text: its deltas, joined."""

    type: Literal["conversation.item.input_audio_transcription.completed"] = (
        "conversation.item.input_audio_transcription.completed"
    )
    item_id: str
    content_index: Literal[0] = 0
    transcript: str
    logprobs: tuple[Logprob, ...] | None
    usage: Usage


class Failed(BaseModel):
    """A turn whose text could not be found."""

    type: Literal["conversation.item.input_audio_transcription.failed"] = (
        "conversation.item.input_audio_transcription.failed"
    )
    item_id: str
    content_index: Literal[0] = 0
    error: dict[str, Any]


class Problem(BaseModel):
    """The one error object, and which of the client's events it is about."""

    type: Literal["error"] = "error"
    error: dict[str, Any]


ServerEvent: TypeAlias = (
    SessionTold | SpeechStarted | SpeechStopped | Committed | Cleared | ItemTold | Delta | Completed | Failed | Problem
)
