"""Describe `/api/v1/stream` in AsyncAPI 3.0, from the models of its messages: docs/asyncapi.json.

"Receive" and "send" are the server's, as AsyncAPI has it: the application that is described is the server.
"""

import inspect
import re
from collections.abc import Mapping
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, get_args

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from whisper_contract.surface import STREAM_PATH
from whisper_inference.error_body import ErrorBody
from whisper_inference.error_responses import error_body
from whisper_inference.errors import Overloaded
from whisper_inference.streaming.protocol import (
    PROTOCOL,
    ClientMessage,
    Closed,
    Drain,
    EndpointReached,
    FinalSegment,
    FinalWord,
    Limits,
    PartialText,
    Ready,
    ServerMessage,
    Status,
    Usage,
)

Json: TypeAlias = dict[str, Any]


class StreamError(ErrorBody):
    """The stream cannot go on: the one error object. The connection closes with 1008, 1011 or 1013."""

    type: Literal["error"] = "error"


_ABOUT: Final = """\
Live speech: a client sends sound in binary frames and reads text that grows.

The first message is `start` or `resume`; sound may come after `ready`. A server refuses fields and types that it does
not know, by name. A client passes over those that it does not know: later servers of this version may send more.
"""
_SOUND: Final = {
    "name": "sound",
    "title": "Sound",
    "summary": "A binary frame of any size up to `limits.largest_frame_bytes`, in the encoding that `start` named.",
    "contentType": "application/octet-stream",
    "payload": {"type": "string", "format": "binary"},
}
_FIRST: Final = "00000000000000000000000000000000"
_OVERLOADED: Final = Overloaded("The server is busy; try again in 5 s.", retry_after_seconds=5)
_WORD: Final = FinalWord(word=" pump.", start=1.42, end=1.86, probability=0.97)

EXAMPLES: Final[Mapping[str, Json]] = MappingProxyType(
    {
        "start": {"type": "start", "audio": {"encoding": "pcm_s16le", "sample_rate": 48000}, "language": "en"},
        "resume": {"type": "resume", "resume_token": _FIRST, "finals": 3},
        "finish": {"type": "finish"},
        **{
            message.type: message.model_dump(mode="json")
            for message in (
                Ready(
                    model="demo",
                    device="cpu",
                    languages=("en", "de"),
                    limits=Limits(
                        start_seconds=10,
                        idle_seconds=60,
                        longest_seconds=14400,
                        largest_frame_bytes=1 << 20,
                        resume_seconds=120,
                    ),
                    resume_token=_FIRST,
                    from_sample=0,
                    from_byte=0,
                ),
                PartialText(start=0.0, end=2.56, stable_text=" Please fix the", unstable_text=" fast pump."),
                FinalSegment(
                    id=0,
                    start=0.14,
                    end=1.86,
                    text=" Please fix the fast pump.",
                    avg_logprob=-0.11,
                    no_speech_prob=0.01,
                    compression_ratio=0.9,
                    words=(_WORD,),
                ),
                EndpointReached(at=4.74),
                Status(heard_seconds=5.0, lag_seconds=0.4, interval_seconds=1.0),
                Drain(),
                Closed(reason="finished", segments=2, language="en", usage=Usage(seconds=5.5)),
            )
        },
        "error": {"type": "error"} | error_body(_OVERLOADED),
    }
)
"""A message of each type, as it goes over the wire."""


def describe_stream() -> Json:
    """Describe the channel, its messages and both directions."""
    client = _models(ClientMessage)
    server: list[type[BaseModel]] = [*_models(ServerMessage), StreamError]
    _, schemas = models_json_schema(
        [(model, "validation") for model in client] + [(model, "serialization") for model in server],
        ref_template="#/components/schemas/{model}",
    )
    messages = {_type_of(model): _message(model) for model in client + server} | {"sound": _SOUND}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Whisper Operator: live speech",
            "version": version("whisper-operator"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"here": _server("ws", "127.0.0.1:8000"), "behind-tls": _server("wss", "speech.example.org")},
        "channels": {"stream": _channel(list(messages))},
        "operations": {
            "hear": _operation("receive", "What a client says", [*map(_type_of, client), "sound"]),
            "tell": _operation("send", "What the server says", list(map(_type_of, server))),
        },
        "components": {
            "schemas": {name: _plain(schema) for name, schema in schemas["$defs"].items()},
            "messages": messages,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key or a session's token."},
                "browser": {
                    "type": "httpApiKey",
                    "name": "Sec-WebSocket-Protocol",
                    "in": "header",
                    "description": f"`whisper.token.TOKEN` beside `{PROTOCOL}`: browsers can send no other header. "
                    "Or leave both out, and put the token into the first message.",
                },
            },
        },
    }


def _models(union: object) -> list[type[BaseModel]]:
    """Return the models of an annotated union, in order."""
    return list(get_args(get_args(union)[0]))


def _type_of(model: type[BaseModel]) -> str:
    return str(get_args(model.model_fields["type"].annotation)[0])


def _message(model: type[BaseModel]) -> Json:
    name = _type_of(model)
    return {
        "name": name,
        "title": model.__name__,
        "summary": (inspect.getdoc(model) or "").replace("\n", " "),
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
        "examples": [{"payload": EXAMPLES[name]}],
    }


def _server(protocol: str, host: str) -> Json:
    schemes = [{"$ref": f"#/components/securitySchemes/{name}"} for name in ("bearer", "browser")]
    return {"host": host, "protocol": protocol, "security": schemes}


def _channel(messages: list[str]) -> Json:
    return {
        "address": STREAM_PATH,
        "title": "One stream",
        "description": f"A WebSocket of the subprotocol `{PROTOCOL}`. It takes no query.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
    }


def _operation(action: str, title: str, messages: list[str]) -> Json:
    return {
        "action": action,
        "channel": {"$ref": "#/channels/stream"},
        "title": title,
        "messages": [{"$ref": f"#/channels/stream/messages/{name}"} for name in messages],
    }


def _plain(schema: Any) -> Any:  # noqa: ANN401 - any part of a JSON schema
    """Leave out the titles that Pydantic makes of names, and line breaks of the source."""
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _plain(part) for key, part in schema.items() if not (key == "title" and isinstance(part, str))}
    if isinstance(kept.get("description"), str):
        kept["description"] = re.sub(r"\s+", " ", kept["description"])
    return kept
