"""One address for all pools: each connection goes to the first pool that is ready, as a Service's would."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

_CHUNK_BYTES = 65536


async def open_front_door(port: int, choose: Callable[[], int | None]) -> asyncio.Server:
    """Listen on loopback and pass connections on.

    Args:
        port: Where to listen.
        choose: Returns the port of a server that is ready; with `None` the connection is closed.
    """

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = choose()
        try:
            if target is not None:
                await _connect(reader, writer, target)
        except asyncio.CancelledError:
            return  # the program ends; asyncio would print the cancellation of this task as an error
        finally:
            await _close(writer)

    return await asyncio.start_server(pass_on, "127.0.0.1", port)


async def _connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    try:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return
    try:
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
    finally:
        await _close(inner_writer)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, RuntimeError):
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
