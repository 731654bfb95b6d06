"""`Section`: one file of many that lie in one, one behind the other."""

import io
from typing import IO

from typing_extensions import Buffer, override


class Section(io.RawIOBase):
    """Is written once, before the next section is; then read as if it were a file of its own.

    Whoever has the whole closes it.
    """

    def __init__(self, whole: IO[bytes]) -> None:
        self._whole = whole
        self._start = self._size = self._position = 0

    @override
    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    @override
    def writable(self) -> bool:
        """Say that it can be written."""
        return True

    @override
    def seekable(self) -> bool:
        """Say that it can be read from anywhere."""
        return True

    @override
    def write(self, data: Buffer, /) -> int:
        """Put bytes at the end, whatever the position."""
        self._whole.seek(0, io.SEEK_END)
        if not self._size:
            self._start = self._whole.tell()
        written = self._whole.write(data)
        self._size += written
        self._position = self._size
        return written

    @override
    def readinto(self, buffer: Buffer, /) -> int:
        """Read bytes from the position on."""
        view = memoryview(buffer).cast("B")
        self._whole.seek(self._start + self._position)
        data = self._whole.read(max(0, min(len(view), self._size - self._position)))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    @override
    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go somewhere."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("there is nothing before the beginning")
        self._position = base + offset
        return self._position
