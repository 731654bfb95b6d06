"""A client of a stream, for tests: says a recording, and keeps what it is told."""

import json
from pathlib import Path
from typing import Any, Final, TypeAlias

import av
import jiwer
import websockets.sync.client
from websockets.exceptions import ConnectionClosed
from websockets.sync.connection import Connection

from tests.support.running_server import RunningServer
from whisper_contract.surface import STREAM_PATH
from whisper_inference.streaming.frames import Encoding
from whisper_inference.streaming.protocol import PROTOCOL

Told: TypeAlias = list[dict[str, Any]]
"""Messages, in order."""

_OTHER_WORDS: Final = 3
"""Fewer than any sentence of the clips has."""
_FRAME: Final = 3200
"""A tenth of a second of 16 kHz in 16 bits."""


def pcm(clip: Path, codec: Encoding = "pcm_s16le", rate: int = 16_000) -> bytes:
    """Decode a recording to raw samples of one channel."""
    wanted = "flt" if codec == "pcm_f32le" else "s16"
    with av.open(str(clip)) as container:
        resampler = av.AudioResampler(format=wanted, layout="mono", rate=rate)
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        frames += resampler.resample(None)
    encoder = av.CodecContext.create(codec, "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = rate, "mono", wanted
    return b"".join(bytes(packet) for frame in [*frames, None] for packet in encoder.encode(frame))


def connect(server: RunningServer, *, key: bool = True, **options: Any) -> Connection:  # noqa: ANN401 - the client's own
    """Open a WebSocket."""
    url = server.url.replace("http", "ws", 1) + STREAM_PATH + options.pop("query", "")
    headers = server.headers if key else {}
    options = {"subprotocols": [PROTOCOL], "additional_headers": headers} | options
    return websockets.sync.client.connect(url, **options)


def say(connection: Connection, sound: bytes, **start: Any) -> Told:  # noqa: ANN401 - fields of the message
    """Start, say all of it, finish, and return all that was told."""
    connection.send(json.dumps({"type": "start", **start}))
    told = [json.loads(connection.recv(30))]
    for offset in range(0, len(sound), _FRAME):
        connection.send(sound[offset : offset + _FRAME])
    connection.send(json.dumps({"type": "finish"}))
    return told + until_closed(connection)


def until_closed(connection: Connection) -> Told:
    """Return all messages until the connection is closed."""
    told: Told = []
    try:
        while True:
            told.append(json.loads(connection.recv(60)))
    except ConnectionClosed:
        return told


def final_text(told: Told) -> str:
    """Join what is final."""
    return "".join(each["text"] for each in told if each["type"] == "final").strip()


def say_the_same(text: str, expected: str) -> bool:
    """Tell whether two texts are of the same sound, with no sentence lost or said twice.

    Hypotheses fall where the machine's speed puts them, and a word that two of them agree on too soon stays.
    """
    found = jiwer.process_words(" ".join(expected.split()), " ".join(text.split()))
    return found.substitutions + found.deletions + found.insertions <= _OTHER_WORDS
