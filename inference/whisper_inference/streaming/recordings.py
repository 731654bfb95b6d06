"""Recordings that are still being made, to 16 kHz mono: what MediaRecorder gives, cut anywhere.

Also where in its own bytes a client has to go on, so that another server hears all of the sound that comes next: a few
packets before it, for a decoder that begins in the middle needs some to find its feet.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import av
from pydantic import BaseModel, ConfigDict, ValidationError

from whisper_inference.arrays import FloatArray
from whisper_inference.audio.ceiling import limit_allocations
from whisper_inference.audio.features import SAMPLE_RATE
from whisper_inference.audio.opus.ogg import OggReader
from whisper_inference.audio.opus.packets import PacketDecoder, without_first
from whisper_inference.audio.opus.parts import OPUS_RATE, OpusHead, Packet, RecordingReader
from whisper_inference.audio.opus.webm import WebmReader
from whisper_inference.audio.resampling import Resampling
from whisper_inference.audio.silero import CHUNK_SAMPLES
from whisper_inference.errors import InvalidRequest, UnreadableAudio
from whisper_inference.streaming.frames import BLOCK_SECONDS, Encoding, Origin, joined

READERS: Final[Mapping[Encoding, type[WebmReader | OggReader]]] = MappingProxyType(
    {"webm_opus": WebmReader, "ogg_opus": OggReader}
)
_TIMES: Final = OPUS_RATE // SAMPLE_RATE
_WARM_UP: Final = OPUS_RATE * 80 // 1000
"""What a decoder needs that begins in the middle (RFC 7845, section 4.6)."""
_MOST_AT_ONCE: Final = 60 * OPUS_RATE
"""Two bytes may hold 120 ms of silence: a frame of a megabyte would play for hours."""
_MARK_DISTANCE: Final = OPUS_RATE // 5
_MARKS_REACH: Final = OPUS_RATE
"""Behind what was heard when a frame came; another server begins less than a chunk and a warm-up behind it."""
_MOST_DAMAGED: Final = 10
"""Packets, until it counts that there are more of them than others."""


class Place(BaseModel):
    """Where in a recording its reading may begin."""

    model_config = ConfigDict(frozen=True)

    byte: int
    """Of the client's own, counted from its first."""
    sample: int
    """Which one the packet there begins with; negative where it only warms the decoder up."""
    fresh: bool
    """Nothing comes before it."""
    head: OpusHead


class RecordingDecoder:
    """Decodes one stream's recording.

    Args:
        encoding: A key of `READERS`.
        heard: Samples (16 kHz) that are here already.
        place: As `place` described it to another decoder.
    """

    def __init__(self, encoding: Encoding, heard: int = 0, place: bytes = b"") -> None:
        limit_allocations()
        begin = _parse_place(place)
        reader = READERS[encoding]
        self._reader: RecordingReader = reader() if begin is None else reader(begin.byte, begin.head)
        self._delivered = heard * _TIMES
        """Samples (48 kHz) that were passed on, as the client counts them."""
        self._skip = 0 if begin is None else self._delivered - begin.sample
        """Samples that are decoded next, and are here already or no sound."""
        self._decoder: PacketDecoder | None = None
        self._head: OpusHead | None = None
        if begin is not None:
            self._begin(begin.head)
        self._fresh = begin is None
        self._marks: tuple[Place, ...] = () if begin is None else (begin,)
        """In order. Replaced, never changed: another thread reads them."""
        self._came = self._damaged = self._intact = 0
        self._resampling = Resampling(BLOCK_SECONDS)
        self.origin = Origin(0, 0) if begin is None else Origin(max(0, begin.sample), begin.byte)

    def take(self, frame: bytes) -> FloatArray:
        """Return the sound that is complete with these bytes, `[n]` float32 at 16 kHz.

        Raises:
            UnreadableAudio: They cannot be understood.
            UnsupportedAudioFormat: They are of a kind that is not decoded here.
            InvalidRequest: They hold more sound than may come at once.
        """
        before, blocks, marks = self._delivered, list[FloatArray](), list(self._marks)
        self._came += len(frame)
        for part in self._reader.take(frame):
            if isinstance(part, Packet):
                self._mark(part, marks)
                blocks += self._sound(part.data)
            else:
                self._begin(part)
                self._fresh, self._skip = True, part.pre_skip
            if self._delivered - before > _MOST_AT_ONCE:
                raise InvalidRequest("A frame holds more than a minute of sound: send smaller ones.")
        old = sum(mark.sample <= before - _MARKS_REACH for mark in marks)
        self._marks = tuple(marks[max(0, old - 1) :])
        return joined(blocks)

    def finish(self) -> FloatArray:
        """Return what is left; a packet that is cut off is none.

        Raises:
            UnreadableAudio: The recording ended before its sound began.
        """
        if self._came and self._head is None:
            raise UnreadableAudio("The recording ended within its head: send all of it.")
        return joined(list(self._resampling.finish()))

    def place(self, heard: int) -> bytes:
        """Describe where another decoder begins, if at least so many samples but the last chunk are kept."""
        needed = max(0, heard - CHUNK_SAMPLES) * _TIMES
        good = [mark for mark in self._marks if mark.sample <= (needed if mark.fresh else needed - _WARM_UP)]
        return good[-1].model_dump_json().encode() if good else b""

    def _begin(self, head: OpusHead) -> None:
        self._head, self._decoder = head, PacketDecoder(head)

    def _mark(self, packet: Packet, marks: list[Place]) -> None:
        sample = self._delivered - self._skip
        if packet.begins is None or self._head is None:
            return
        if self._fresh or not marks or sample - marks[-1].sample >= _MARK_DISTANCE:
            marks.append(Place(byte=packet.begins, sample=sample, fresh=self._fresh, head=self._head))
        self._fresh = False

    def _sound(self, packet: bytes) -> list[FloatArray]:
        frames = None if self._decoder is None else self._decoder.decode(packet)
        if frames is None:
            self._damaged += 1
            if self._damaged > max(self._intact, _MOST_DAMAGED):
                raise UnreadableAudio("The recording is damaged: send what MediaRecorder gives, unchanged.")
            return []
        self._intact += 1
        return [block for frame in frames for block in self._audible(frame)]

    def _audible(self, frame: av.AudioFrame) -> list[FloatArray]:
        skipped = min(self._skip, frame.samples)
        self._skip -= skipped
        self._delivered += frame.samples - skipped
        if skipped == frame.samples:
            return []
        return list(self._resampling.take(without_first(frame, skipped) if skipped else frame))


def _parse_place(place: bytes) -> Place | None:
    """Understand a place; `None` if there is none, or another version wrote it."""
    try:
        return Place.model_validate_json(place) if place else None
    except ValidationError:
        return None
