"""What a recording consists of: heads and packets; and the bytes of one as they come."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from whisper_inference.errors import UnreadableAudio, UnsupportedAudioFormat

OPUS_RATE: Final = 48_000
"""Opus counts its samples so, whatever rate the microphone had (RFC 7845, section 4)."""
LARGEST_PACKET: Final = 61_440
"""What readers must be able to take (RFC 7845, section 6)."""
HEAD_MAGIC: Final = b"OpusHead"
_HEAD: Final = struct.Struct("<8sBBHIhB")
_MOST_CHANNELS: Final = 2


class OpusHead(BaseModel):
    """What must be known to decode packets."""

    model_config = ConfigDict(frozen=True)

    channels: int = Field(ge=1, le=_MOST_CHANNELS)
    pre_skip: int = Field(ge=0, le=0xFFFF)
    """Samples at the beginning that only warm the decoder up."""
    gain: int = Field(ge=-0x8000, le=0x7FFF)
    track: int = Field(ge=0)
    """The number that its container gives to the stream."""


class Packet(NamedTuple):
    """A few milliseconds of sound."""

    data: bytes
    begins: int | None
    """The byte of the recording from which on it can be read by who knows the head; `None`: only with others."""


Part: TypeAlias = OpusHead | Packet


class RecordingReader(Protocol):
    """Takes a container apart."""

    def take(self, data: bytes) -> Iterator[Part]:
        """Yield what is complete with these bytes.

        Raises:
            UnreadableAudio: They are no such container.
            UnsupportedAudioFormat: What it holds is not read here.
        """
        ...


class Inflow:
    """Bytes as they come, numbered from the recording's first.

    Args:
        position: Of the first one that will come.
    """

    def __init__(self, position: int) -> None:
        self.position = position
        """Of the next byte that is read."""
        self._held = bytearray()
        self._skipping = 0

    def add(self, data: bytes) -> None:
        """Take in more."""
        unwanted = min(self._skipping, len(data))
        self._skipping -= unwanted
        self.position += unwanted
        self._held += data[unwanted:]

    def __len__(self) -> int:
        """How many bytes are held."""
        return len(self._held)

    def peek(self, most: int) -> bytes:
        """Return the next bytes, which stay."""
        return bytes(self._held[:most])

    def skip(self, count: int) -> None:
        """Pass over bytes, those that are still to come among them."""
        held = min(count, len(self._held))
        del self._held[:held]
        self.position += held
        self._skipping += count - held

    def take(self, count: int) -> bytes:
        """Return the next bytes, which are held."""
        taken = self.peek(count)
        self.skip(count)
        return taken


def parse_head(data: bytes, track: int) -> OpusHead:
    """Understand the head of an Opus stream (RFC 7845, section 5.1).

    Raises:
        UnreadableAudio: It is none.
        UnsupportedAudioFormat: It has more than two channels.
    """
    if len(data) < _HEAD.size:
        raise UnreadableAudio("The recording's head is cut off: send the recording from its first byte on.")
    magic, version, channels, pre_skip, _, gain, family = _HEAD.unpack_from(data)
    if magic != HEAD_MAGIC or version >> 4:
        raise UnreadableAudio("The recording's head is none of Opus: send what MediaRecorder gives, unchanged.")
    if family or not 1 <= channels <= _MOST_CHANNELS:
        raise UnsupportedAudioFormat("The recording has more than two channels: record one.")
    return OpusHead(channels=channels, pre_skip=pre_skip, gain=gain, track=track)
