"""Opus in WebM (RFC 8794 and 9559) while it is written: sizes may be unknown, and nothing is looked up by position.

Elements are read as one flat row: what holds others is entered and never left, for the names of what is read here occur
in one place each. So a reader that knows the track can begin at any element, such as a client's next cluster.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from whisper_inference.audio.opus.parts import LARGEST_PACKET, Inflow, OpusHead, Packet, Part, parse_head
from whisper_inference.errors import UnreadableAudio, UnsupportedAudioFormat

_EBML: Final = 0x1A45DFA3
_TRACKS: Final = 0x1654AE6B
_TRACK: Final = 0xAE
_TRACK_NUMBER: Final = 0xD7
_CODEC: Final = 0x86
_CODEC_HEAD: Final = 0x63A2
_ENCODINGS: Final = 0x6D80
_SIMPLE_BLOCK, _BLOCK = 0xA3, 0xA1
_ENTERED: Final = frozenset({0x18538067, 0x1F43B675, 0xA0})
"""Segments, clusters and groups of a block."""
_LONGEST_NAME: Final = 4
_LONGEST_NUMBER: Final = 8
_LONGEST_START: Final = 12
"""A name and a size."""
_BLOCK_START: Final = 12
"""A track's number, a time and flags; a byte more than that at the most."""
_LACING: Final = 0x06
_LARGEST_TRACKS: Final = 1 << 16
_MOST_ELEMENTS: Final = 50_000
"""At once: 60 s in packets of 2.5 ms are half as many."""

_DAMAGED: Final = "This is no WebM: send the recording unchanged and without gaps."


class _Start(NamedTuple):
    name: int
    length: int
    """Of the name and the size themselves."""
    size: int | None
    """Of what follows; `None` if it was not known yet."""


class WebmReader:
    """Reads one recording, or one after another.

    Args:
        position: Of the first byte that will come.
        head: As it was read before; an element comes first.
    """

    def __init__(self, position: int = 0, head: OpusHead | None = None) -> None:
        self._inflow = Inflow(position)
        self._head = head
        self._begun = head is not None

    def take(self, data: bytes) -> Iterator[Part]:
        """Yield what is complete with these bytes."""
        self._inflow.add(data)
        for _ in range(_MOST_ELEMENTS):
            start = _parse_start(self._inflow.peek(_LONGEST_START))
            if start is None or not self._is_here(start):
                return
            yield from self._read(start)
        raise UnreadableAudio("The recording consists of too many pieces: send smaller frames.")

    def _is_here(self, start: _Start) -> bool:
        """Say whether so much of an element came that it can be read, or passed over."""
        if start.name == _TRACKS:
            return len(self._inflow) >= start.length + _bounded(start, _LARGEST_TRACKS)
        if start.name not in {_SIMPLE_BLOCK, _BLOCK}:
            return True
        size = start.size or 0
        if len(self._inflow) < start.length + min(size, _BLOCK_START):
            return False
        return not self._is_ours(start) or len(self._inflow) >= start.length + _bounded(start, LARGEST_PACKET)

    def _is_ours(self, start: _Start) -> bool:
        track = _parse_number(self._inflow.peek(start.length + _BLOCK_START)[start.length :])
        return self._head is not None and track is not None and track.size == self._head.track

    def _read(self, start: _Start) -> Iterator[Part]:
        if not self._begun and start.name != _EBML:
            raise UnreadableAudio(_DAMAGED)
        self._begun = True
        if start.name in _ENTERED:
            self._inflow.skip(start.length)
        elif start.size is None:
            raise UnreadableAudio(_DAMAGED)
        elif start.name == _TRACKS:
            self._head = _choose_track(self._inflow.take(start.length + start.size)[start.length :])
            yield self._head
        elif start.name in {_SIMPLE_BLOCK, _BLOCK} and self._is_ours(start):
            begins = self._inflow.position
            yield Packet(_sound(self._inflow.take(start.length + start.size)[start.length :]), begins)
        else:
            self._inflow.skip(start.length + start.size)


class _Number(NamedTuple):
    length: int
    size: int | None


def _parse_number(data: bytes) -> _Number | None:
    """Read a number whose first bits say how long it is; `None` if it is cut off. All ones stand for an unknown one."""
    if not data:
        return None
    length = _length(data[0], _LONGEST_NUMBER)
    if len(data) < length:
        return None
    ones = (1 << 7 * length) - 1
    value = int.from_bytes(data[:length], "big") & ones
    return _Number(length, None if value == ones else value)


def _length(first: int, longest: int) -> int:
    length = 9 - first.bit_length()
    if length > longest:
        raise UnreadableAudio(_DAMAGED)
    return length


def _parse_start(data: bytes) -> _Start | None:
    if not data:
        return None
    length = _length(data[0], _LONGEST_NAME)
    number = _parse_number(data[length:])
    if number is None:
        return None
    return _Start(int.from_bytes(data[:length], "big"), length + number.length, number.size)


def _bounded(start: _Start, most: int) -> int:
    if start.size is None or start.size > most:
        raise UnreadableAudio("An element of the recording is too large: send what MediaRecorder gives, unchanged.")
    return start.size


def _children(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset < len(data):
        start = _parse_start(data[offset : offset + _LONGEST_START])
        if start is None or start.size is None or offset + start.length + start.size > len(data):
            raise UnreadableAudio(_DAMAGED)
        offset += start.length + start.size
        yield start.name, data[offset - start.size : offset]


def _choose_track(tracks: bytes) -> OpusHead:
    """Return the head of the first track of Opus."""
    for name, entry in _children(tracks):
        fields = dict(_children(entry)) if name == _TRACK else {}
        if fields.get(_CODEC, b"").rstrip(b"\0") != b"A_OPUS":
            continue
        if _ENCODINGS in fields:
            raise UnsupportedAudioFormat("The recording is encrypted or packed: send what MediaRecorder gives.")
        return parse_head(fields.get(_CODEC_HEAD, b""), int.from_bytes(fields.get(_TRACK_NUMBER, b"")[-8:], "big"))
    raise UnsupportedAudioFormat("The WebM recording holds no Opus: record with audio/webm;codecs=opus.")


def _sound(block: bytes) -> bytes:
    number = _parse_number(block)
    begins = 3 + (0 if number is None else number.length)
    if len(block) < begins:
        raise UnreadableAudio(_DAMAGED)
    if block[begins - 1] & _LACING:
        raise UnsupportedAudioFormat("The recording packs several packets into a block (lacing): record without.")
    return block[begins:]
