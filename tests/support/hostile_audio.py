"""Uploads that mean harm, or met with it: the same ones for the same seed.

Mutations of good files in every format, extreme headers, bombs that play for hours or declare gigabytes, and files
of other kinds that FFmpeg would open other files for.
"""

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice

import numpy as np

from tests.support.audio_samples import BY_NAME, ENCODINGS, encode, tone, wav

_MAGIC = (b"RIFF\xff\xff\xff\xffWAVEfmt ", b"fLaC", b"OggS", b"ID3\x04\0\0", b"\x1a\x45\xdf\xa3", b"\0\0\0\x20ftypM4A ")
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

Mutation = Callable[[bytes, random.Random], bytes]


def hostile_uploads(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield `count` uploads by name: first the crafted ones, then mutations of good files."""
    yield from islice(_endless(seed), count)


@cache
def crafted_upload(name: str) -> bytes:
    """Return one of the uploads that somebody thought out."""
    return _CRAFTED[name]()


def inflating_tag(megabytes: int = 255) -> bytes:
    """Return an ID3 tag of 1/1000 of the size that its title declares (ID3v2.4, section 4.1.2)."""
    compressor = zlib.compressobj(9)
    title = b"".join(compressor.compress(b"A" * 2**20) for _ in range(megabytes)) + compressor.flush()
    frame = b"TIT2" + _syncsafe(len(title) + 4) + b"\0\x09" + _syncsafe(megabytes << 20) + title
    return b"ID3\x04\0\0" + _syncsafe(len(frame)) + frame


def mp4_tables(samples: int, edits: int = 0, brand: bytes = b"M4A ", codec: bytes = b"mp4a") -> bytes:
    """Return an MP4 file whose tables declare samples that are not there (ISO 14496-12, section 8.7)."""
    entry = _box(codec, bytes(6) + struct.pack(">H8xHHHHI", 1, 2, 16, 0, 0, 48_000 << 16))
    tables = (
        _full(b"stsd", struct.pack(">I", 1) + entry)
        + _full(b"stts", struct.pack(">III", 1, samples, 1024))
        + _full(b"stsc", struct.pack(">IIII", 1, 1, samples, 1))
        + _full(b"stsz", struct.pack(">II", 1, samples))
        + _full(b"stco", struct.pack(">II", 1, 40))
    )
    media = (
        _full(b"mdhd", struct.pack(">IIIIHH", 0, 0, 48_000, 480_000, 0, 0))
        + _full(b"hdlr", struct.pack(">4s4s13x", bytes(4), b"soun"))
        + _box(b"minf", _box(b"stbl", tables))
    )
    header = _full(b"tkhd", struct.pack(">IIIII", 0, 0, 1, 0, 480_000) + bytes(60))
    edit_list = _full(b"elst", struct.pack(">I", edits) + struct.pack(">IiHH", 2**32 - 1, 0, 1, 0) * edits)
    track = _box(b"trak", header + _box(b"edts", edit_list) + _box(b"mdia", media))
    movie = _full(b"mvhd", struct.pack(">IIII", 0, 0, 48_000, 480_000) + bytes(80))
    return _box(b"ftyp", brand + bytes(4)) + _box(b"moov", movie + track) + _box(b"mdat", bytes(3000))


def _endless(seed: int) -> Iterator[tuple[str, bytes]]:
    yield from ((name, crafted_upload(name)) for name in CRAFTED_NAMES)
    source = random.Random(seed)  # noqa: S311 - the same uploads each time
    good = _good_files()
    while True:
        name, upload = source.choice(good)
        mutation = source.choice(_MUTATIONS)
        yield f"{name}: {mutation.__name__.strip('_')}", mutation(upload, source)


@cache
def _good_files() -> tuple[tuple[str, bytes], ...]:
    return tuple((encoding.name, encode(tone(0.4, encoding.rate), encoding)) for encoding in ENCODINGS)


def _flip_bits(upload: bytes, source: random.Random) -> bytes:
    mutated = bytearray(upload)
    for _ in range(source.randint(1, 40)):
        mutated[source.randrange(len(mutated))] ^= 1 << source.randrange(8)
    return bytes(mutated)


def _cut_off(upload: bytes, source: random.Random) -> bytes:
    return upload[: source.randrange(len(upload))]


def _swap_pieces(upload: bytes, source: random.Random) -> bytes:
    first, second, third = sorted(source.randrange(len(upload)) for _ in range(3))
    return upload[:first] + upload[second:third] + upload[first:second] + upload[third:]


def _write_extremes(upload: bytes, source: random.Random) -> bytes:
    mutated = bytearray(upload)
    for _ in range(source.randint(1, 4)):
        value, order = source.choice(_EXTREMES), source.choice("<>")
        struct.pack_into(f"{order}I", mutated, source.randrange(min(300, len(mutated) - 4)), value)
    return bytes(mutated)


def _replace_by_noise(upload: bytes, source: random.Random) -> bytes:
    return source.choice(_MAGIC) + source.randbytes(len(upload) % 4000)


def _splice(upload: bytes, source: random.Random) -> bytes:
    _, other = source.choice(_good_files())
    return upload[: source.randrange(len(upload))] + other[source.randrange(len(other)) :]


_MUTATIONS: tuple[Mutation, ...] = (
    _flip_bits,
    _cut_off,
    _swap_pieces,
    _write_extremes,
    _replace_by_noise,
    _splice,
)


def _long_silence(name: str) -> bytes:
    encoding = BY_NAME[name]
    return encode(np.zeros(encoding.rate * 900, dtype=np.float32), encoding)


def _repeated_mp3() -> bytes:
    return encode(np.zeros(48_000, dtype=np.float32), BY_NAME["mp3"]) * (24 * 3600 // 10)


def _adts() -> bytes:
    return encode(tone(0.1), BY_NAME["aac"])


def _wav_with_chunk(kind: bytes, content: bytes) -> bytes:
    chunk = kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
    good = wav(bytes(6400))
    return good[:12] + chunk + good[12:]


def _syncsafe(number: int) -> bytes:
    return bytes((number >> shift) & 0x7F for shift in (21, 14, 7, 0))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _full(kind: bytes, content: bytes) -> bytes:
    return _box(kind, bytes(4) + content)


_CRAFTED: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "long silence in FLAC": lambda: _long_silence("flac"),
    "long silence in Opus": lambda: _long_silence("ogg_opus"),
    "long silence in MP3": _repeated_mp3,
    "index of 700 MB": lambda: mp4_tables(samples=30_000_000),
    "hundreds of edits": lambda: mp4_tables(samples=1_000_000, edits=200),
    "tag that inflates": lambda: inflating_tag() + encode(tone(0.1), BY_NAME["mp3"]),
    "tag in a chunk": lambda: _wav_with_chunk(b"id3 ", inflating_tag()),
    "tag between frames": lambda: encode(tone(0.1), BY_NAME["aac"]) + inflating_tag() + _adts(),
    "tags without an end": lambda: b"ID3\x04\0\0\0\0\0\0" * 50_000,
    "255 channels": lambda: wav(bytes(255 * 2000), channels=255),
    "65535 channels": lambda: wav(bytes(200_000), channels=65535),
    "rate of 4 GHz": lambda: wav(bytes(200_000), rate=2**32 - 1),
    "no numbers": lambda: wav(b"\0\0\xc0\x7f\0\0\x80\xff" * 9000, bits=32, kind=3),
    "chunks without an end": lambda: b"RIFF\xff\xff\xff\xffWAVE" + b"LIST\0\0\0\0" * 100_000,
    "playlist": lambda: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
    "concatenation": lambda: b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "drawing": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "archive": lambda: b"PK\x03\x04" + bytes(400),
    "playlist in a WAV": lambda: wav(b"#EXTM3U\nhttp://127.0.0.1/\n" * 40),
    "WAV before a FLAC": lambda: wav(bytes(3200)) + encode(tone(0.1), BY_NAME["flac"]),
    "reference to a file": lambda: mp4_tables(samples=10, brand=b"qt  ", codec=b"text"),
}
CRAFTED_NAMES = tuple(_CRAFTED)
