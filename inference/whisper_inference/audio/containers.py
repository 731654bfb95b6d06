"""Which kind of file an upload is, by its first bytes: the kinds that are decoded here, and no others."""

from typing import Final

LONGEST_MAGIC: Final = 12

_PREFIXES: Final = (
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"\x1a\x45\xdf\xa3", "matroska"),
)
_MPEG_SYNC: Final = (0xFF, 0xE0)
"""An MPEG audio frame begins with eleven ones."""
_MPEG_LAYER: Final = 0x06

FORMATS_IN_WORDS: Final = "WAV, MP3, FLAC, OGG (Opus, Vorbis), M4A/MP4 (AAC), AAC and WebM"


def demuxer_of(head: bytes) -> str | None:
    """Return FFmpeg's name of the demuxer for a file, or nothing for a kind that is not decoded here.

    The demuxer is named so that FFmpeg never guesses: its guesses include playlists that open other files.

    Args:
        head: At least the first 12 bytes behind any ID3 tag, if there are as many.
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head[4:8] == b"ftyp":
        return "mov"
    if len(head) > 1 and head[0] == _MPEG_SYNC[0] and head[1] & _MPEG_SYNC[1] == _MPEG_SYNC[1]:
        return "mp3" if head[1] & _MPEG_LAYER else "aac"
    return next((demuxer for prefix, demuxer in _PREFIXES if head.startswith(prefix)), None)
