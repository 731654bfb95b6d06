"""Ten thousand frames that nobody should send: each is sound, or refused by name, and none brings a server down."""

import asyncio
import json
import logging
import random
from collections.abc import Callable
from typing import Any, Final

import pytest
from starlette.types import Message, Scope

from tests.api.conftest import EXAMPLES
from tests.support.running_server import KEY
from whisper_contract.surface import STREAM_PATH
from whisper_inference.app import create_app
from whisper_inference.model_loading import load_model
from whisper_inference.settings import ServerSettings
from whisper_inference.streaming.protocol import PROTOCOL

pytestmark = pytest.mark.slow

FRAMES: Final = 10_000
MOST_IN_A_STREAM: Final = 60
START: Final = {
    "type": "start",
    "language": "en",
    "audio": {"encoding": "pcm_s16le", "sample_rate": 16_000},
    "partial_interval_seconds": 1.0,
}
GOOD_CODES: Final = frozenset({1000, 1008, 1013})
"""All but 1011, with which a server says that it is to blame."""

Random = random.Random


def anything(source: Random) -> object:
    """Return a JSON value."""
    simple: list[Callable[[], object]] = [
        lambda: None,
        lambda: source.choice([True, False]),
        lambda: source.choice([0, -1, 1 << 70, 1e308, -0.0, 16_000, 0.2]),
        lambda: source.choice(["", "start", "en", "\0", "\ud800", "🜚" * 50, "pcm_f32le", "x" * 5000]),
        lambda: [anything(source) for _ in range(source.randrange(3))],
        lambda: {str(anything(source)): anything(source) for _ in range(source.randrange(3))},
    ]
    return source.choice(simple)()


def text(source: Random) -> str:
    """Return a message that was hurt, or none at all."""
    message: dict[str, Any] = json.loads(json.dumps(START))
    match source.randrange(6):
        case 0:
            message[source.choice([*message, "token", "guard", "colour"])] = anything(source)
        case 1:
            message["audio"][source.choice(["encoding", "sample_rate", "channels"])] = anything(source)
        case 2:
            return json.dumps(anything(source))
        case 3:
            written = json.dumps(message)
            return written[: source.randrange(len(written))]
        case 4:
            return "[" * source.randrange(20_000)
        case _:
            message = {"type": source.choice(["start", "resume", "finish", "error"]), "resume_token": anything(source)}
    return json.dumps(message)


def sound(source: Random) -> bytes:
    """Return bytes: of any length, many of them none that a sample would be."""
    length = source.choice([0, 1, 3, source.randrange(64), source.randrange(4000)])
    return source.choice([source.randbytes(length), b"\xff\x7f" * (length // 2), b"\0\0\xc0\x7f" * (length // 4)])


def frame(source: Random) -> Message:
    """Return what somebody sends within a stream: mostly sound, for the first word ends it."""
    if source.random() < 0.03:
        return {"type": "websocket.receive", "text": text(source)}
    return {"type": "websocket.receive", "bytes": sound(source)}


def first(source: Random) -> Message:
    """Return how somebody begins; half of them as one should."""
    if source.random() < 0.1:
        return frame(source)
    start = START | {"partial_interval_seconds": source.choice([0.2, 1, 10]), "agreement": source.choice([1, 4])}
    encoding = source.choice(["pcm_s16le", "pcm_f32le", "pcm_mulaw", "pcm_alaw"])
    audio = {"encoding": encoding, "sample_rate": source.choice([8000, 16_000, 44_100, 48_000])}
    good = json.dumps(start | {"audio": audio})
    return {"type": "websocket.receive", "text": good if source.random() < 0.7 else text(source)}


class Caller:
    """A client without a socket: it says what was prepared, then goes."""

    def __init__(self, messages: list[Message]) -> None:
        self._messages = iter([{"type": "websocket.connect"}, *messages])
        self.told: list[Message] = []

    async def receive(self) -> Message:
        """Say the next thing."""
        return next(self._messages, {"type": "websocket.disconnect", "code": 1006})

    async def send(self, message: Message) -> None:
        """Be told something."""
        self.told.append(message)

    @property
    def scope(self) -> Scope:
        """What the server knows of the handshake."""
        return {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": STREAM_PATH,
            "raw_path": STREAM_PATH.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"speech"), (b"authorization", f"Bearer {KEY}".encode())],
            "subprotocols": [PROTOCOL],
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 8000),
            "state": {},
            "extensions": {"websocket.http.response": {}},
        }


def streams(source: Random) -> list[list[Message]]:
    """Prepare streams of so many frames in all."""
    prepared: list[list[Message]] = []
    while sum(map(len, prepared)) < FRAMES:
        frames = [frame(source) for _ in range(source.randrange(MOST_IN_A_STREAM))]
        prepared.append([first(source), *frames])
    return prepared


def test_no_frame_brings_the_server_down(caplog: pytest.LogCaptureFixture) -> None:
    settings = ServerSettings(model=str(EXAMPLES / "models/demo"), device="cpu", api_key=KEY, stream_measured=False)
    app = create_app(settings, load_model)
    callers = [Caller(messages) for messages in streams(Random(6))]

    async def call_all() -> None:
        async with app.router.lifespan_context(app):
            while not app.state.server.readiness.ready:  # noqa: ASYNC110 - a thread loads it
                await asyncio.sleep(0.02)
            gate = asyncio.Semaphore(8)

            async def call(caller: Caller) -> None:
                async with gate:
                    await app(caller.scope, caller.receive, caller.send)

            await asyncio.gather(*(call(caller) for caller in callers))
            assert app.state.server.loaded.scheduler.backlog_seconds == 0

    with caplog.at_level(logging.ERROR):
        asyncio.run(call_all())
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    told = [json.loads(each["text"]) for caller in callers for each in caller.told if each["type"] == "websocket.send"]
    refused = [each["error"] for each in told if each["type"] == "error"]
    assert sum(each["type"] == "ready" for each in told) > 100
    assert len(refused) > 50
    assert {error["code"] for error in refused} <= {"invalid_value", "stream_not_found"}
    codes = {each.get("code") for caller in callers for each in caller.told if each["type"] == "websocket.close"}
    assert codes <= GOOD_CODES
