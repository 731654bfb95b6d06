"""What a SIEM has at its end: a syslog receiver behind TLS, and an HTTP collector; both can be away."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trustme


@dataclass(slots=True)
class SyslogReceiver:
    """Counts bytes as RFC 5425 says, and keeps the messages."""

    port: int = 0
    messages: list[bytes] = field(default_factory=list)
    connections: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read until the other side ends."""
        self.connections.append(writer)
        try:
            while True:
                length = int(await reader.readuntil(b" "))
                self.messages.append(await reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def hang_up(self) -> None:
        """End every connection."""
        for writer in self.connections:
            writer.close()
        self.connections.clear()


@asynccontextmanager
async def syslog_receiver(authority: trustme.CA, port: int = 0) -> AsyncIterator[SyslogReceiver]:
    """Receive on loopback, with a certificate of an authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    receiver = SyslogReceiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", port, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        receiver.hang_up()
        await server.wait_closed()


@dataclass(slots=True)
class Collector:
    """Answers as it is told to, and keeps what it took."""

    port: int = 0
    statuses: list[int] = field(default_factory=list)
    """Of the next answers; then 200."""
    events: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    requests: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/events"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await reader.readexactly(int(headers["content-length"]))
        status = self.statuses.pop(0) if self.statuses else 200
        self.requests += 1
        if status == 200:
            self.events += json.loads(body)
            self.authorizations.append(headers.get("authorization", ""))
        writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def collector(*statuses: int) -> AsyncIterator[Collector]:
    """Collect on loopback."""
    collecting = Collector(statuses=list(statuses))
    server = await asyncio.start_server(collecting.serve, "127.0.0.1", 0)
    collecting.port = server.sockets[0].getsockname()[1]
    async with server:
        yield collecting
