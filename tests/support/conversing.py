"""A client of OpenAI's Realtime protocol without a library, for tests: says events, and keeps what it is told."""

import base64
import json
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import websockets.sync.client
from websockets.sync.connection import Connection

from tests.support.running_server import RunningServer
from whisper_contract.surface import REALTIME_PATH

Event: TypeAlias = dict[str, Any]
_FRAME: Final = 4800
"""A tenth of a second of 24 kHz in 16 bits."""
DELTA: Final = "conversation.item.input_audio_transcription.delta"
COMPLETED: Final = "conversation.item.input_audio_transcription.completed"


def call(server: RunningServer, *, key: bool = True, **options: Any) -> Connection:  # noqa: ANN401 - the client's own
    """Open a conversation."""
    url = server.url.replace("http", "ws", 1) + REALTIME_PATH + options.pop("query", "?intent=transcription")
    options = {"additional_headers": server.headers if key else {}} | options
    return websockets.sync.client.connect(url, **options)


def send(connection: Connection, kind: str, **fields: Any) -> None:  # noqa: ANN401 - of the event
    """Send an event."""
    connection.send(json.dumps({"type": kind, **fields}))


def append(connection: Connection, sound: bytes, piece: int = _FRAME) -> None:
    """Say sound."""
    for begin in range(0, len(sound), piece):
        audio = base64.b64encode(sound[begin : begin + piece]).decode()
        send(connection, "input_audio_buffer.append", audio=audio)


def set_input(connection: Connection, **given: Any) -> Event:  # noqa: ANN401 - the session's
    """Set how the session hears; return what it answers."""
    send(connection, "session.update", session={"type": "transcription", "audio": {"input": given}})
    return receive(connection)


def receive(connection: Connection) -> Event:
    """Return the next event."""
    event: Event = json.loads(connection.recv(60))
    return event


def until(connection: Connection, kind: str, count: int = 1) -> list[Event]:
    """Return all events up to the one of a kind, or the last of so many."""
    return list(_until(connection, kind, count))


def _until(connection: Connection, kind: str, count: int) -> Iterator[Event]:
    while count:
        event = receive(connection)
        yield event
        count -= event["type"] == kind


def of_kind(events: list[Event], kind: str) -> list[Event]:
    """Return the events of a kind."""
    return [event for event in events if event["type"] == kind]
