"""One address in front of replicas, as a Service is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

_BUFFER: Final = 1 << 16


@dataclass(slots=True)
class Front:
    """Each connection goes to the next replica; those that are not ready are not among them."""

    replicas: list[str]
    """Where they are; the list may change."""
    connections: int = 0
    _turn: int = 0
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Listen; yield the address."""
        server = await asyncio.start_server(self._pass, "127.0.0.1", 0, backlog=1024)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for task in self._open:
                task.cancel()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._turn += 1
        target = urlsplit(self.replicas[self._turn % len(self.replicas)])
        try:
            from_server, to_server = await asyncio.open_connection(target.hostname, target.port)
        except OSError:
            writer.close()
            return
        for source, sink in ((reader, to_server), (from_server, writer)):
            task = asyncio.create_task(_copy(source, sink))
            self._open.add(task)
            task.add_done_callback(self._open.discard)


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(_BUFFER):
            sink.write(data)
            await sink.drain()
    sink.close()
