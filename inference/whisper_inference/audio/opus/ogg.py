"""Opus in Ogg (RFC 3533 and 7845), page by page. Checksums are not looked at: WebSockets come over TCP."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from whisper_inference.audio.opus.parts import HEAD_MAGIC, LARGEST_PACKET, Inflow, OpusHead, Packet, Part, parse_head
from whisper_inference.errors import UnreadableAudio, UnsupportedAudioFormat

_PAGE: Final = struct.Struct("<4sBBqIIIB")
_MAGIC: Final = b"OggS"
_CONTINUED, _FIRST = 1, 2
_FULL: Final = 255
"""A segment of this length is not the packet's last."""


class _Page(NamedTuple):
    begins: int
    flags: int
    serial: int
    segments: bytes
    """Their lengths."""
    body: bytes


class OggReader:
    """Reads one recording, or one after another (a chain).

    Args:
        position: Of the first byte that will come.
        head: As it was read before; a page comes first.
    """

    def __init__(self, position: int = 0, head: OpusHead | None = None) -> None:
        self._inflow = Inflow(position)
        self._head = head
        self._in_tags = False
        """The next packet holds tags."""
        self._rest: bytes | None = None
        """Of a packet that goes on; `None`: its beginning is not known."""

    def take(self, data: bytes) -> Iterator[Part]:
        """Yield what is complete with these bytes."""
        self._inflow.add(data)
        while (page := self._page()) is not None:
            yield from self._read(page)

    def _page(self) -> _Page | None:
        start = self._inflow.peek(_PAGE.size)
        if not start.startswith(_MAGIC[: len(start)]):
            raise UnreadableAudio("This is no Ogg page: send the recording unchanged and without gaps.")
        if len(start) < _PAGE.size:
            return None
        _, _, flags, _, serial, _, _, count = _PAGE.unpack(start)
        head_length = _PAGE.size + count
        segments = self._inflow.peek(head_length)[_PAGE.size :]
        length = head_length + sum(segments)
        if len(segments) < count or len(self._inflow) < length:
            return None
        begins = self._inflow.position
        return _Page(begins, flags, serial, segments, self._inflow.take(length)[head_length:])

    def _read(self, page: _Page) -> Iterator[Part]:
        if page.flags & _FIRST:
            yield from self._begin(page)
        elif self._head is None:
            raise UnsupportedAudioFormat("The Ogg recording holds no Opus: record with the codec opus.")
        elif page.serial == self._head.track:
            yield from self._packets(page)

    def _begin(self, page: _Page) -> Iterator[OpusHead]:
        if not page.body.startswith(HEAD_MAGIC) or self._in_tags:
            return  # another stream beside it
        self._head = parse_head(page.body, page.serial)
        self._in_tags, self._rest = True, None
        yield self._head

    def _packets(self, page: _Page) -> Iterator[Packet]:
        begins: int | None = page.begins
        if not page.flags & _CONTINUED:
            self._rest = b""
        elif self._rest is None or self._rest:
            begins = None
        offset = 0
        for length in page.segments:
            self._collect(page.body[offset : offset + length])
            offset += length
            if length < _FULL:
                data, self._rest = self._rest, b""
                if self._in_tags:
                    self._in_tags = False
                elif data:
                    yield Packet(data, begins)
                    begins = None

    def _collect(self, segment: bytes) -> None:
        if self._rest is None or self._in_tags:
            return  # tags may hold pictures, and nobody reads them
        self._rest += segment
        if len(self._rest) > LARGEST_PACKET:
            raise UnreadableAudio("A packet of the recording is larger than Opus allows.")
