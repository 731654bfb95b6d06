"""Uploads that nobody should send: mutated recordings, bombs, and files that pretend. Deterministic by seed."""

import io
import random
import struct
from collections.abc import Callable, Iterator

import numpy as np

from tests.support.audio_samples import encode_samples
from whisper_inference.arrays import FloatArray

_KINDS = ("wav", "mp3", "flac", "ogg", "mp4", "webm")
_MAGIC = (
    b"RIFF\xff\xff\xff\xffWAVEfmt ",
    b"fLaC\x00\x00\x00\x22",
    b"OggS\x00\x02",
    b"ID3\x04\x00\x00",
    b"\x1a\x45\xdf\xa3",
    b"\x00\x00\x00\x20ftypM4A ",
    b"\xff\xfb\x90\x64",
    b"\xff\xf1\x50\x80",
)
_PRETENDERS = (
    b"",
    b"\0",
    b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n",
    b"ffconcat version 1.0\nfile /etc/passwd\n",
    b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    b"PK\x03\x04" + bytes(100),
    b"[playlist]\nFile1=http://127.0.0.1:1/\n",
    b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x10\x00data",
)


def hostile_uploads(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield a name for each case and its bytes."""
    chance = random.Random(seed)  # noqa: S311 - mutations, not secrets
    originals = [encode_samples(_tone(), kind) for kind in _KINDS]
    bombs = [encode_samples(np.zeros(16_000 * 900, dtype=np.float32), kind) for kind in ("flac", "mp3")]
    makers: list[tuple[str, Callable[[], bytes]]] = [
        ("flipped", lambda: _flip(chance.choice(originals), chance)),
        ("header", lambda: _flip(chance.choice(originals), chance, within=64)),
        ("truncated", lambda: _truncate(chance.choice(originals), chance)),
        ("spliced", lambda: _splice(chance.choice(originals), chance.choice(originals), chance)),
        ("numbers", lambda: _extreme_numbers(chance.choice(originals), chance)),
        ("magic", lambda: chance.choice(_MAGIC) + chance.randbytes(chance.randrange(5000))),
        ("pretender", lambda: chance.choice(_PRETENDERS)),
        ("wav", lambda: _wav_of(chance)),
        ("bomb", lambda: chance.choice(bombs)),
    ]
    for index in range(count):
        # Bombs take longest to refuse, so they are fewer.
        name, make = makers[index % (len(makers) - 1)] if index % 40 else makers[-1]
        yield f"{index}-{name}", make()


def _tone() -> FloatArray:
    return np.asarray(0.3 * np.sin(np.arange(16_000) * 0.05), dtype=np.float32)


def _flip(content: bytes, chance: random.Random, within: int | None = None) -> bytes:
    mutated = bytearray(content)
    for _ in range(chance.choice((1, 4, 64))):
        mutated[chance.randrange(min(len(mutated), within or len(mutated)))] ^= 1 << chance.randrange(8)
    return bytes(mutated)


def _truncate(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def _splice(first: bytes, second: bytes, chance: random.Random) -> bytes:
    return first[: chance.randrange(len(first))] + second[chance.randrange(len(second)) :]


def _extreme_numbers(content: bytes, chance: random.Random) -> bytes:
    mutated = bytearray(content)
    value = chance.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF))
    struct.pack_into(chance.choice("<>") + "I", mutated, chance.randrange(min(len(mutated) - 4, 200)), value)
    return bytes(mutated)


def _wav_of(chance: random.Random) -> bytes:
    """A well-formed header of absurd parameters over a little data."""
    channels = chance.choice((0, 1, 2, 9, 255, 65535))
    rate = chance.choice((0, 1, 100, 8000, 16_000, 10**6, 2**32 - 1))
    bits = chance.choice((0, 1, 8, 16, 24, 32, 64, 65535))
    kind = chance.choice((0, 1, 3, 6, 7, 0x55, 0xFFFE))
    file = io.BytesIO()
    file.write(b"RIFF" + struct.pack("<I", 2**32 - 1) + b"WAVEfmt " + struct.pack("<I", 16))
    file.write(struct.pack("<HHIIHH", kind, channels, rate, rate * 2 % 2**32, max(1, channels * 2) % 65536, bits))
    file.write(b"data" + struct.pack("<I", chance.choice((0, 2000, 2**32 - 1))) + chance.randbytes(2000))
    return file.getvalue()
