"""Audit events to a syslog receiver: RFC 5424 messages, over TLS as RFC 5425 frames them.

Syslog has no answer: what was sent just before a receiver vanished may be lost; a connection that the receiver has
closed is noticed before anything is sent on it.
"""

import asyncio
import os
import ssl
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from whisper_inference.audit.ecs import SERVICE, is_alarming, to_ecs_json
from whisper_inference.audit.events import AuditEvent
from whisper_inference.audit.sinks import SinkUnavailable
from whisper_inference.errors import InvalidSettings

_PORT: Final = 6514
_SCHEME: Final = "syslog+tls"
_TIMEOUT_SECONDS: Final = 10.0
_FACILITY: Final = 13
"""Log audit (RFC 5424, table 1)."""
_WARNING: Final = 4
_NOTICE: Final = 5
_BOM: Final = b"\xef\xbb\xbf"


class SyslogAddress(NamedTuple):
    """Where a receiver listens."""

    host: str
    port: int


def parse_address(address: str) -> SyslogAddress:
    """Read `syslog+tls://host[:port]`.

    Raises:
        InvalidSettings: It means nothing.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or _PORT
    except ValueError:
        host, port, parts = None, _PORT, urlsplit("")
    if parts.scheme != _SCHEME or not host or parts.username or parts.path.strip("/") or parts.query:
        raise InvalidSettings(f"The address of the audit's syslog means nothing: write {_SCHEME}://host[:{_PORT}].")
    return SyslogAddress(host, port)


def make_tls(authority: Path | None) -> ssl.SSLContext:
    """Trust an authority's certificates, or those that the system trusts.

    Raises:
        InvalidSettings: The file cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as problem:  # ssl.SSLError is one
        raise InvalidSettings(f"The certificates in {authority} cannot be read: {problem}.") from problem
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class SyslogSink:
    """Keeps one connection, and makes it again when it has ended.

    Args:
        address: Where to.
        context: Whom to trust.
        host: Where this server runs.
    """

    name = "syslog"

    def __init__(self, address: SyslogAddress, context: ssl.SSLContext, host: str) -> None:
        self._address, self._context, self._host = address, context, host
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, events: Sequence[AuditEvent]) -> None:
        """Send events."""
        frames = b"".join(frame(message(event, self._host)) for event in events)
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                writer = await self._connected()
                writer.write(frames)
                await writer.drain()
        except (OSError, TimeoutError) as problem:
            await self.close()
            raise SinkUnavailable(str(problem)) from problem

    async def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            _, writer = self._connection
            self._connection = None
            writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_TIMEOUT_SECONDS):
                    await writer.wait_closed()

    async def _connected(self) -> asyncio.StreamWriter:
        if self._connection is not None:
            reader, writer = self._connection
            if not reader.at_eof() and not writer.is_closing():
                return writer
            await self.close()
        self._connection = await asyncio.open_connection(*self._address, ssl=self._context)
        return self._connection[1]


def message(event: AuditEvent, host: str) -> bytes:
    """Return an event as RFC 5424 writes it, with its ECS fields as JSON for a text."""
    priority = 8 * _FACILITY + (_WARNING if is_alarming(event) else _NOTICE)
    time = event.time.isoformat(timespec="milliseconds")
    head = f"<{priority}>1 {time} {_printable(host)} {SERVICE} {os.getpid()} {event.action} - "
    return head.encode("ascii") + _BOM + to_ecs_json(event, host).encode("utf-8", "backslashreplace")


def frame(syslog_message: bytes) -> bytes:
    """Count a message's bytes before it (RFC 5425, 4.3)."""
    return b"%d " % len(syslog_message) + syslog_message


def _printable(host: str) -> str:
    """A host's name in what RFC 5424 allows; `-` is none."""
    return "".join(character for character in host if "!" <= character <= "~")[:255] or "-"
