"""The client, against a server that does what real ones seldom do."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.server import ServerConnection, serve

from tests.support.patience import PATIENCE_SECONDS
from whisper_inference.errors import StreamRefused
from whisper_inference.streaming.client import StreamClient
from whisper_inference.streaming.protocol import Closed, Limits, Ready, Usage

READY = Ready(
    model="demo",
    device="cpu",
    languages=("en",),
    limits=Limits(
        start_seconds=10, idle_seconds=60, longest_seconds=3600, largest_frame_bytes=1 << 20, resume_seconds=120
    ),
    resume_token="0" * 64,
    from_sample=0,
    from_byte=0,
)
TAKEN_BYTES = 6 << 20
"""More than a client keeps of what it has said."""


async def endless() -> AsyncIterator[bytes]:
    """Speak for ever."""
    while True:
        yield bytes(1 << 16)


def test_a_server_that_asks_for_sound_of_too_long_ago_is_left_at_once() -> None:
    connections = 0

    async def forget(connection: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        await connection.recv()
        await connection.send(READY.model_dump_json())
        taken = 0
        while taken < TAKEN_BYTES or connections > 1:
            taken += len(await connection.recv())

    async def whole() -> None:
        async with serve(forget, "127.0.0.1", 0) as server, asyncio.timeout(PATIENCE_SECONDS):
            port = server.sockets[0].getsockname()[1]
            async for _ in StreamClient(f"http://127.0.0.1:{port}", None).transcribe(endless()):
                pass

    with pytest.raises(StreamRefused, match="too long ago"):
        asyncio.run(whole())
    assert connections == 2


@pytest.mark.parametrize(("retry_after", "connections"), [(0, 3), (5, 1)])
def test_a_stream_that_finds_no_room_asks_again_where_another_server_has_some(
    retry_after: int, connections: int
) -> None:
    asked = 0

    async def refuse(connection: ServerConnection) -> None:
        nonlocal asked
        asked += 1
        assert json.loads(await connection.recv())["type"] == "start"
        if asked < 3:
            error = {"message": "Full.", "retry_after": retry_after}
            await connection.send(json.dumps({"type": "error", "error": error}))
            return
        usage = Usage(seconds=0)
        await connection.send(READY.model_dump_json())
        await connection.send(Closed(reason="finished", segments=0, language=None, usage=usage).model_dump_json())

    async def silence() -> AsyncIterator[bytes]:
        for _ in ():
            yield b""

    async def whole() -> list[str]:
        async with serve(refuse, "127.0.0.1", 0) as server, asyncio.timeout(PATIENCE_SECONDS):
            client = StreamClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", None)
            return [message.type async for message in client.transcribe(silence())]

    if retry_after:
        with pytest.raises(StreamRefused, match="Full"):
            asyncio.run(whole())
    else:
        assert asyncio.run(whole()) == ["ready", "closed"]
    assert asked == connections
