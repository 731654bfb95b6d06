"""What a client of OpenAI's Realtime transcription may send, and what is wrong with what it may not. Pure."""

import json
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from whisper_inference.errors import InvalidRequest, UnsupportedField, WhisperError
from whisper_inference.realtime.sessions import OldSession, Session

_MOST_AUDIO: Final = 15 << 20
"""Of one event, in base64: OpenAI's own bound."""
_LONGEST_ID: Final = 512
_LONGEST_PARAM: Final = 128

_ELSEWHERE: Final = frozenset(
    {
        "conversation.item.create",
        "conversation.item.delete",
        "conversation.item.retrieve",
        "conversation.item.truncate",
        "output_audio_buffer.clear",
        "response.cancel",
        "response.create",
    }
)
"""Events of sessions that answer."""


class _Event(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    event_id: str | None = Field(None, max_length=_LONGEST_ID)
    """Comes back in an error."""


class SessionUpdate(_Event):
    """Changes the session from here on."""

    type: Literal["session.update"]
    session: Session


class OldSessionUpdate(_Event):
    """Changes the session, in the older form."""

    type: Literal["transcription_session.update"]
    session: OldSession


class Append(_Event):
    """Brings sound."""

    type: Literal["input_audio_buffer.append"]
    audio: str = Field(max_length=_MOST_AUDIO)
    """In base64."""


class Commit(_Event):
    """Ends a turn here."""

    type: Literal["input_audio_buffer.commit"]


class Clear(_Event):
    """Forgets what came since the last turn."""

    type: Literal["input_audio_buffer.clear"]


ClientEvent: TypeAlias = SessionUpdate | OldSessionUpdate | Append | Commit | Clear
_CLIENT_EVENT: Final[TypeAdapter[ClientEvent]] = TypeAdapter(Annotated[ClientEvent, Field(discriminator="type")])


def parse_event(text: str) -> ClientEvent:
    """Understand an event.

    Raises:
        InvalidRequest: It is none; the sentence names the field, and repeats no value.
        UnsupportedField: It asks for what this server cannot do.
    """
    try:
        return _CLIENT_EVENT.validate_json(text)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "union_tag_invalid":
        raise _no_such_event(_field(text, "type"))
    where = ".".join(str(part) for part in first["loc"][1:])[:_LONGEST_PARAM]
    kind = UnsupportedField if first["type"] == UnsupportedField.code else InvalidRequest
    raise kind(f"{where or 'The event'}: {first['msg']}.", param=where or None)


def event_id_of(received: bytes | str) -> str | None:
    """Return what a client calls an event that could not be understood, if it says so."""
    found = _field(received, "event_id")
    return None if found is None else found[:_LONGEST_ID]


def _no_such_event(kind: str | None) -> WhisperError:
    if kind in _ELSEWHERE:
        return UnsupportedField(f"This server transcribes: {kind} belongs to sessions that answer.", param="type")
    return InvalidRequest("The type is none that this server knows: docs/realtime.md lists them.", param="type")


def _field(text: bytes | str, name: str) -> str | None:
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return None
    found = event.get(name) if isinstance(event, dict) else None
    return found if isinstance(found, str) else None
