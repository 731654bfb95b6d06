"""Hides ID3 tags from FFmpeg: it inflates their compressed frames without a limit, 255 MB from 0.3 MB and more.

Nothing of a tag is needed here. Tags at the beginning are cut off; where FFmpeg reads tags in the middle of a file
(a WAV file's chunk, between AAC frames), their first letter is taken away, and it passes over them.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

_HEADER_BYTES: Final = 10
_HEADER: Final = re.compile(rb"ID3[^\xff][^\xff].[\x00-\x7f]{4}", re.DOTALL)
_FOOTER_FLAG: Final = 0x10
_PIECE: Final = 1 << 20


def end_of_leading_tags(file: BinaryIO) -> int:
    """Return where the sound begins: behind the tags at the beginning (ID3v2.4, section 3.1)."""
    end = 0
    while True:
        file.seek(end)
        header = file.read(_HEADER_BYTES)
        if not _HEADER.fullmatch(header):
            return end
        size = sum(byte << shift for byte, shift in zip(header[6:], (21, 14, 7, 0), strict=True))
        end += _HEADER_BYTES + size + (_HEADER_BYTES if header[5] & _FOOTER_FLAG else 0)


def find_tags(file: BinaryIO) -> Iterator[int]:
    """Yield where tags begin anywhere in a file."""
    position, overlap = 0, b""
    file.seek(0)
    while piece := file.read(_PIECE):
        searched = overlap + piece
        yield from (position - len(overlap) + match.start() for match in _HEADER.finditer(searched))
        position += len(piece)
        overlap = searched[1 - _HEADER_BYTES :]


class UntaggedFile:
    """A file from some position on, as PyAV reads one, with a letter of each hidden tag missing.

    One that is closed has ended: whoever closes it while it is decoded does not wait for the sound, and what is raised
    below FFmpeg is printed and passed over.
    """

    def __init__(self, file: BinaryIO, start: int, tags: tuple[int, ...], check: Callable[[], None]) -> None:
        self._file, self._start, self._tags, self._check = file, start, tags, check
        file.seek(start)

    def read(self, size: int = -1) -> bytes:
        """Read on; `check` may raise before."""
        self._check()
        if self._file.closed:
            return b""
        begin = self._file.tell()
        read = self._file.read(size)
        first, last = bisect_left(self._tags, begin), bisect_left(self._tags, begin + len(read))
        if first == last:
            return read
        masked = bytearray(read)
        for tag in self._tags[first:last]:
            masked[tag - begin] = 0
        return bytes(masked)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position, counted from where the file begins here."""
        if self._file.closed:
            return -1
        return self._file.seek(offset + self._start if whence == 0 else offset, whence) - self._start

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell() - self._start
