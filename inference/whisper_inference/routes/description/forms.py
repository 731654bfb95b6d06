"""Multipart forms as OpenAPI describes them: FastAPI does not read them, so that their limits are ours. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from whisper_inference.routes.description.answers import Json

_AUDIO: Final = {
    "type": "string",
    "format": "binary",
    "description": "The recording: WAV, MP3, FLAC, Ogg, M4A or WebM, known by its first bytes.",
}
_MANY: Final = {
    "type": "array",
    "items": _AUDIO,
    "minItems": 1,
    "description": "The recordings: the field comes once for each.",
}


def audio_form(fields: Mapping[str, Json], required: Sequence[str], example: Json, *, many: bool = False) -> Json:
    """Describe a form with one recording, or with many, for a route's `openapi_extra`."""
    schema = {
        "type": "object",
        "properties": {"file": _MANY if many else _AUDIO}
        | {name: _without_null(field) for name, field in fields.items()},
        "required": ["file", *required],
        "additionalProperties": False,
    }
    recording = "the bytes of clip.wav"
    shown = {"file": [recording, "the bytes of another.mp3"] if many else recording, **example}
    content = {"multipart/form-data": {"schema": schema, "example": shown}}
    return {"requestBody": {"required": True, "content": content}}


def _without_null(field: Json) -> Json:
    """A form has no null: what is absent is left out."""
    given = {key: value for key, value in field.items() if key != "anyOf" and (key, value) != ("default", None)}
    choices = [choice for choice in field.get("anyOf", ()) if choice != {"type": "null"}]
    return given | (choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {})
