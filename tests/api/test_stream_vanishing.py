"""Clients that vanish: their stream is given up, at once where that can be known, else at the next heartbeat."""

import base64
import json
import os
import socket
import struct
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.api.conftest import EXAMPLES
from tests.support.patience import PATIENCE_SECONDS, eventually
from tests.support.running_server import KEY, RunningServer, running_server
from tests.support.speaking import connect, final_text, pcm, say
from whisper_contract.surface import STREAM_PATH
from whisper_inference.connections import ConnectionLimits
from whisper_inference.settings import ServerSettings
from whisper_inference.streaming.protocol import PROTOCOL

HEARTBEAT_SECONDS = 0.3
WITHIN_SECONDS = 0.1


@pytest.fixture(scope="module")
def watchful() -> Iterator[RunningServer]:
    """A server whose heart beats fast."""
    settings = ServerSettings(
        model=str(EXAMPLES / "models/demo"), device="cpu", threads=1, api_key=KEY, stream_measured=False
    )
    limits = ConnectionLimits(most=100, heartbeat_seconds=HEARTBEAT_SECONDS)
    with running_server(settings, limits=limits) as running:
        yield running


@pytest.fixture(scope="module")
def speech() -> bytes:
    """A minute of sentences."""
    return pcm(EXAMPLES / "audio/unseen_long0.flac")


def streams(server: RunningServer) -> float:
    """How many are open."""
    text = httpx.get(f"{server.management_url}/metrics").text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith("whisper_streams "))


def leases(server: RunningServer) -> int:
    """How many the key holds, as it is told."""
    usage = httpx.get(f"{server.url}/api/v1/usage", headers=server.headers).json()
    return int(usage["concurrent_streams"]["used"])


def open_by_hand(server: RunningServer) -> socket.socket:
    """Open a stream on a bare socket: nothing answers a ping, as behind a network that is gone."""
    address = urlsplit(server.url)
    opened = socket.create_connection((str(address.hostname), int(address.port or 80)), timeout=30)
    nonce = base64.b64encode(os.urandom(16)).decode()
    opened.sendall(
        f"GET {STREAM_PATH} HTTP/1.1\r\nHost: speech\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {nonce}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {PROTOCOL}\r\n"
        f"Authorization: Bearer {KEY}\r\n\r\n".encode()
    )
    assert opened.recv(12) == b"HTTP/1.1 101"
    start = json.dumps({"type": "start"}).encode()
    mask = b"\0\0\0\0"
    opened.sendall(struct.pack("!BB", 0x81, 0x80 | len(start)) + mask + start)
    received = b""
    while b'"ready"' not in received:
        received += opened.recv(4096)
    return opened


def test_a_client_that_vanishes_without_a_word_is_missed_at_a_heartbeat(watchful: RunningServer) -> None:
    vanished = open_by_hand(watchful)
    eventually(lambda: (streams(watchful), leases(watchful)), lambda held: held == (0, 0))
    vanished.close()


def test_a_client_whose_answers_stand_in_line_behind_its_sound_lives(watchful: RunningServer, speech: bytes) -> None:
    """It speaks faster than the server listens, so its pongs are read long after they were due."""
    sound = speech * 2
    with connect(watchful, compression=None) as connection:
        began = time.monotonic()
        told = say(connection, sound, language="en", partial_interval_seconds=0.2)
        took = time.monotonic() - began
    assert told[-1]["type"] == "closed"
    assert told[-1]["usage"]["seconds"] == pytest.approx(len(sound) / 32_000, abs=1)
    assert took > 2 * HEARTBEAT_SECONDS
    assert final_text(told)


def test_what_is_decoded_for_a_client_that_goes_is_given_up_at_once(watchful: RunningServer, speech: bytes) -> None:
    """On one of a few tries: a machine that stalls takes longer, but a server that waits for something always does."""
    loaded = watchful.app.state.server.loaded

    def given_up_after() -> float:
        with connect(watchful) as connection:
            connection.send(json.dumps({"type": "start", "language": "en", "partial_interval_seconds": 0.2}))
            connection.recv(30)
            for offset in range(0, 32_000 * 20, 32_000):
                connection.send(speech[offset : offset + 32_000])
            connection.recv(30)
            assert loaded.streams.places.standing().open == 1
            went = time.monotonic()
            connection.socket.shutdown(socket.SHUT_RDWR)
            while loaded.streams.places.standing().open:
                assert time.monotonic() - went < PATIENCE_SECONDS
                time.sleep(0.001)
            return time.monotonic() - went

    eventually(given_up_after, lambda seconds: seconds < WITHIN_SECONDS)
    eventually(lambda: loaded.scheduler.slots_in_use, lambda rows: rows == 0)
