"""A multipart form written again for another replica: the same fields and bytes, never whole in memory."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final

_CHUNK_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Form:
    """One file and its fields (RFC 7578). It may be written more than once, one time after another."""

    file: BinaryIO
    fields: Mapping[str, Sequence[str]]
    file_field: str = "file"
    """What the file comes as."""
    boundary: str = field(default_factory=lambda: secrets.token_hex(16))
    """Random: what a client sends cannot hold it."""

    @property
    def content_type(self) -> str:
        """The header of the same name."""
        return f"multipart/form-data; boundary={self.boundary}"

    async def length(self) -> int:
        """Return how many bytes the whole form has."""
        size = await asyncio.to_thread(self.file.seek, 0, 2)
        return size + sum(map(len, self._before())) + len(self._after())

    async def content(self) -> AsyncIterator[bytes]:
        """Write it, from the file's beginning."""
        for part in self._before():
            yield part
        await asyncio.to_thread(self.file.seek, 0)
        while chunk := await asyncio.to_thread(self.file.read, _CHUNK_BYTES):
            yield chunk
        yield self._after()

    def _before(self) -> Iterator[bytes]:
        for name, values in self.fields.items():
            for value in values:
                yield f"{self._head(name)}\r\n\r\n".encode() + value.encode() + b"\r\n"
        kind = "Content-Type: application/octet-stream"
        yield f'{self._head(self.file_field)}; filename="audio"\r\n{kind}\r\n\r\n'.encode()

    def _head(self, name: str) -> str:
        # Quotes and line ends as browsers write them (the HTML standard, "multipart form data").
        quoted = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        return f'--{self.boundary}\r\nContent-Disposition: form-data; name="{quoted}"'

    def _after(self) -> bytes:
        return f"\r\n--{self.boundary}--\r\n".encode()
