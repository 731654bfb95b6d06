"""SHA-256 of files: what a checkpoint is, and whether it is still what was downloaded."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from whisper_inference.errors import InvalidCheckpoint


@dataclass(frozen=True, slots=True)
class FileDigest:
    """A file's name, size in bytes and SHA-256."""

    name: str
    size: int
    sha256: str


def digest_file(path: Path) -> FileDigest:
    """Read a file through.

    Raises:
        InvalidCheckpoint: It is missing or unreadable.
    """
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            return FileDigest(path.name, file.tell(), sha256)
    except FileNotFoundError as error:
        raise InvalidCheckpoint(path, "the file is missing.") from error
    except OSError as error:
        raise InvalidCheckpoint(path, f"cannot be read: {error.strerror}.") from error


def fingerprint(digests: Sequence[FileDigest]) -> str:
    """Return the SHA-256 over the names, sizes and contents of files, in the given order."""
    lines = (f"{digest.name}\n{digest.size}\n{digest.sha256}\n" for digest in digests)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
