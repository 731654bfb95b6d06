"""One address for several servers."""

import asyncio
from contextlib import suppress

from whisper_operator.play.front_door import open_front_door


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"heard: " + await reader.read())
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def _ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"a" * 300_000)
    writer.write_eof()
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _through(target: str) -> bytes:
    async with await asyncio.start_server(_echo, "127.0.0.1", 0) as server:
        ports = {"echo": server.sockets[0].getsockname()[1], "nobody": None, "closed": 1}
        async with await open_front_door(0, lambda: ports[target]) as door:
            return await _ask(door.sockets[0].getsockname()[1])


def test_what_is_sent_arrives_whole_and_so_does_the_answer() -> None:
    assert asyncio.run(_through("echo")) == b"heard: " + b"a" * 300_000


def test_with_nobody_ready_the_connection_ends() -> None:
    assert asyncio.run(_through("nobody")) == b""


def test_a_server_that_is_gone_ends_the_connection() -> None:
    assert asyncio.run(_through("closed")) == b""
