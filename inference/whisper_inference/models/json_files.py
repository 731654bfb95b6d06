"""Reading a checkpoint's JSON files, which are untrusted: bounded in size, and an object or a typed error."""

import json
from pathlib import Path
from typing import Any, Final

from whisper_inference.errors import InvalidCheckpoint

_LARGEST_FILE: Final = 64 * 2**20
"""Bytes. Whisper's largest JSON file is `tokenizer.json` with 2.5 MB."""


def read_json(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises:
        InvalidCheckpoint: The file is missing, too large, unreadable, or holds something else.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except FileNotFoundError as error:
        raise InvalidCheckpoint(path, "the file is missing.") from error
    except OSError as error:
        raise InvalidCheckpoint(path, f"cannot be read: {error.strerror}.") from error
    if len(content) > _LARGEST_FILE:
        raise InvalidCheckpoint(path, f"larger than {_LARGEST_FILE} bytes.")
    return parse_json_object(path, content)


def parse_json_object(path: Path, content: bytes) -> dict[str, Any]:
    """Parse bytes that came from `path` as one JSON object.

    Raises:
        InvalidCheckpoint: They are anything else.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidCheckpoint(path, f"not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise InvalidCheckpoint(path, "not a JSON object.")
    return document
