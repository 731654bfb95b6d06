"""Says that a folder of the cache is in use, to every process that shares the cache, for as long as this one lives.

Weights are mapped from the folder's files, and on a network's file system a mapped file that another machine deletes
ends the process that reads it. A lock of `flock` is let go by the kernel when its process ends, however it ends, and
holds across machines on NFS (https://man7.org/linux/man-pages/man2/flock.2.html).
"""

import fcntl
import logging
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

MARKER: Final = ".in-use"
"""A file that only carries the locks; it stays, for a lock on a file that is gone holds nothing."""


class InUse:
    """Folders that nobody is to delete, until this is closed or forgotten; what cannot be marked is passed over."""

    def __init__(self) -> None:
        self._marks: list[int] = []
        self._finalizer = weakref.finalize(self, _let_go, self._marks)

    def hold(self, folder: Path) -> None:
        """Mark a folder, which is made if it is not there; waits for who deletes it at this moment."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            mark = _open(folder)
        except OSError:
            return  # it cannot be written, so nobody deletes it through this mount
        try:
            fcntl.flock(mark, fcntl.LOCK_SH)
        except OSError as problem:
            os.close(mark)
            logger.warning("%s cannot be marked as in use: %s", folder, problem)
            return
        self._marks.append(mark)

    def close(self) -> None:
        """Let the folders go; a second time does nothing."""
        _let_go(self._marks)


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Take a folder for oneself; say whether it was given, which it is not if somebody uses it or it is read-only."""
    try:
        mark = _open(folder)
    except OSError:
        yield False
        return
    try:
        yield _try_lock(mark)
    finally:
        os.close(mark)


def _try_lock(mark: int) -> bool:
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _open(folder: Path) -> int:
    return os.open(folder / MARKER, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o660)


def _let_go(marks: list[int]) -> None:
    while marks:
        os.close(marks.pop())
