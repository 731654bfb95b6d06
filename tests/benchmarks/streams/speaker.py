"""One client that speaks in real time, and notes what it is told and when."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.benchmarks.streams.speech import BYTES_PER_SECOND, Speech
from whisper_contract.surface import STREAM_PATH
from whisper_inference.streaming.protocol import PROTOCOL

_FRAME_SECONDS: Final = 0.1
Message: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Heard:
    """What a stream was told."""

    speech: Speech
    lags: list[float] = field(default_factory=list)
    """Seconds from the last sample that a result covers, as it was spoken, to the result's arrival."""
    firsts: list[float] = field(default_factory=list)
    """Seconds from where somebody began to speak to the first text that came of it."""
    intervals: list[float] = field(default_factory=list)
    """New sound between hypotheses, as `status` says."""
    text: str = ""
    retracted: int = 0
    """Words that were stable, and then were not."""
    problem: str | None = None
    """Why it ended, if not as it should."""
    _began: float = 0.0
    _stable: str = ""
    _last_end: float = 0.0
    _awaited: list[float] = field(default_factory=list)

    def begin(self) -> None:
        """The first sample is being spoken now."""
        self._began, self._awaited = time.monotonic(), list(self.speech.begins)

    def take(self, message: Message) -> None:
        """Take in a message that has just come."""
        match message["type"]:
            case "partial":
                self._result(message["end"], message["stable_text"] + message["unstable_text"])
                self._publish(self.text + message["stable_text"])
            case "final":
                self._result(message["end"], message["text"], final=True)
                self.text += message["text"]
            case "endpoint" | "closed":
                self._publish(self.text)
            case "status":
                self.intervals.append(message["interval_seconds"])
            case "error":
                self.problem = message["error"]["code"]
            case _:
                pass

    def _result(self, end: float, text: str, *, final: bool = False) -> None:
        now = time.monotonic() - self._began
        if not final:
            self.lags.append(now - end)
        while text.strip() and self._awaited and end > self._awaited[0]:
            begin = self._awaited.pop(0)
            if not self._awaited or end <= self._awaited[0]:
                self.firsts.append(now - begin)

    def _publish(self, published: str) -> None:
        if not published.startswith(self._stable):
            before, after = self._stable.split(), published.split()
            kept = next((i for i, (one, two) in enumerate(zip(before, after, strict=False)) if one != two), len(after))
            self.retracted += max(1, len(before) - kept)
        self._stable = published


class Speakers:
    """Clients of one server.

    Args:
        url: The server's.
        key: What opens it.
    """

    def __init__(self, url: str, key: str) -> None:
        self._address = url.replace("http", "ws", 1) + STREAM_PATH
        self._headers = {"Authorization": f"Bearer {key}"}

    def connect(self) -> connect:
        """Connect; frames are not compressed, for sound does not shrink."""
        return connect(
            self._address,
            subprotocols=[PROTOCOL],  # type: ignore[list-item] # a NewType of the library's
            additional_headers=self._headers,
            compression=None,
            open_timeout=60,
        )

    async def speak(self, speech: Speech, **start: Any) -> Heard:  # noqa: ANN401 - fields of the message `start`
        """Say all of it as fast as it is spoken, and return what was told."""
        heard = Heard(speech)
        try:
            async with self.connect() as connection:
                await connection.send(json.dumps({"type": "start", **start}))
                heard.take(json.loads(await connection.recv()))
                heard.begin()
                speaking = asyncio.create_task(_speak(connection, speech.sound))
                closed = False
                async for received in connection:
                    message = json.loads(received)
                    heard.take(message)
                    closed = closed or message["type"] == "closed"
                await speaking
                heard.problem = heard.problem or (None if closed else "connection_lost")
        except (OSError, WebSocketException) as problem:
            heard.problem = heard.problem or type(problem).__name__
        return heard


async def _speak(connection: ClientConnection, sound: bytes) -> None:
    began = time.monotonic()
    for number, frame in enumerate(frames(sound), start=1):
        await asyncio.sleep(max(0.0, began + number * _FRAME_SECONDS - time.monotonic()))
        await connection.send(frame)
    await connection.send(json.dumps({"type": "finish"}))


def frames(sound: bytes) -> Iterator[bytes]:
    """Cut sound into frames of a tenth of a second."""
    size = round(_FRAME_SECONDS * BYTES_PER_SECOND)
    return (sound[offset : offset + size] for offset in range(0, len(sound), size))
