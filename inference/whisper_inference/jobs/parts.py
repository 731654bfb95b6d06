"""The transcripts of a recording's pieces, kept one by one and joined. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from pydantic import TypeAdapter

from whisper_inference.decoding.windows import FRAMES_PER_SECOND
from whisper_inference.transcription import Dropped, Seconds, Segment, Transcript

_TRANSCRIPT: TypeAdapter[Transcript] = TypeAdapter(Transcript)


def write_part(part: Transcript) -> bytes:
    """Return a piece's transcript as it is kept."""
    return _TRANSCRIPT.dump_json(part)


def read_part(kept: bytes) -> Transcript:
    """Return what was kept."""
    return _TRANSCRIPT.validate_json(kept)


def join_parts(parts: Sequence[Transcript]) -> Transcript:
    """Return the transcript of a recording from those of its pieces, in order; there is at least one."""
    begins: Seconds = 0.0
    segments: list[Segment] = []
    dropped: list[Dropped] = []
    for part in parts:
        segments += [_moved(segment, begins, len(segments) + index) for index, segment in enumerate(part.segments)]
        dropped += [replace(each, start=each.start + begins, end=each.end + begins) for each in part.dropped]
        begins += part.duration
    spoken = next((part for part in parts if part.segments), parts[0])
    return Transcript(parts[0].task, spoken.language, begins, tuple(segments), tuple(dropped))


def _moved(segment: Segment, by: Seconds, identity: int) -> Segment:
    return replace(
        segment,
        id=identity,
        seek=segment.seek + round(by * FRAMES_PER_SECOND),
        start=segment.start + by,
        end=segment.end + by,
        words=tuple(replace(word, start=word.start + by, end=word.end + by) for word in segment.words),
    )
