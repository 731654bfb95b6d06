"""What an end to end run did, in which time, and what it saw."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_WIDTH: Final = 44


class Stages:
    """Prints each stage as it ends, to a person who waits."""

    @contextmanager
    def stage(self, name: str) -> Iterator[list[str]]:
        """Time a stage; what is put into the list is printed beside it."""
        began = time.monotonic()
        seen: list[str] = []
        ended = "failed"
        try:
            yield seen
            ended = "ok"
        finally:
            seconds = time.monotonic() - began
            sys.stderr.write(f"\n{name:<{_WIDTH}} {seconds:7.1f} s  {ended}  {'; '.join(seen)}\n")
            sys.stderr.flush()
