"""One connection that sends files and reads answers, at little cost to the machine that it measures."""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from whisper_contract.surface import TRANSCRIPTIONS_PATH

_CLIPS: Final = Path("examples/audio")
_LONGEST_SECONDS: Final = 10
_BOUNDARY: Final = "a-boundary-of-the-benchmark"


@dataclass(frozen=True, slots=True)
class File:
    """A clip as a form."""

    body: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said to a file."""

    status: int
    retry_after: str | None
    seconds: float
    """From the first byte that was sent to the last that came."""


@cache
def load_files() -> Sequence[File]:
    """Read the short clips in which somebody speaks."""
    entries: list[dict[str, Any]] = json.loads((_CLIPS / "clips.json").read_text())
    chosen = [each for each in entries if each["text"] and each["seconds"] <= _LONGEST_SECONDS]
    return [File(_form((_CLIPS / each["file"]).read_bytes()), each["seconds"]) for each in chosen]


def _form(sound: bytes) -> bytes:
    fields = {"model": "whisper-1", "language": "en"}
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="clip"\r\n\r\n'
    return "".join([*parts, head]).encode() + sound + f"\r\n--{_BOUNDARY}--\r\n".encode()


class Asker:
    """Sends one file after another; a connection that the server has closed is made anew.

    Args:
        url: Where to.
        key: What opens it.
    """

    def __init__(self, url: str, key: str) -> None:
        self._target = urlsplit(url)
        self._head = (
            f"POST {TRANSCRIPTIONS_PATH} HTTP/1.1\r\nHost: {self._target.netloc}\r\n"
            f"Authorization: Bearer {key}\r\nContent-Type: multipart/form-data; boundary={_BOUNDARY}\r\n"
        )
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, file: File) -> Answer:
        """Send a file; return what is said to it.

        Raises:
            OSError: The connection broke before there was an answer.
        """
        began = time.monotonic()
        reader, writer = self._connection or await asyncio.open_connection(self._target.hostname, self._target.port)
        self._connection = None
        writer.write(f"{self._head}Content-Length: {len(file.body)}\r\n\r\n".encode() + file.body)
        try:
            status, headers = _parse(await reader.readuntil(b"\r\n\r\n"))
            await reader.readexactly(int(headers.get("content-length", 0)))
        except (asyncio.IncompleteReadError, OSError) as problem:
            writer.close()
            raise ConnectionError("there was no answer") from problem
        except asyncio.CancelledError:
            writer.close()  # the server hears that nobody waits
            raise
        if headers.get("connection") == "close":
            writer.close()
        else:
            self._connection = reader, writer
        return Answer(status, headers.get("retry-after"), time.monotonic() - began)

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection[1].close()


def _parse(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return int(first.split()[1]), {name.lower(): value.strip() for name, value in pairs}
