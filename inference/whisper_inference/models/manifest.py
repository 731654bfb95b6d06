"""The record beside a downloaded model: where it came from, and the checksum of each of its files."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from whisper_inference.errors import InvalidCheckpoint
from whisper_inference.models.digests import FileDigest, digest_file
from whisper_inference.models.json_files import read_json

MANIFEST_FILE: Final = "whisper-inference-manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was downloaded."""

    repository: str
    """For example `openai/whisper-base`."""
    commit: str
    """The repository's commit, whatever branch or tag was asked for."""
    files: tuple[FileDigest, ...]

    def check(self, folder: Path, found: FileDigest) -> None:
        """Hold a file against the record; a file that the record does not list passes.

        Raises:
            InvalidCheckpoint: It is not the file that was downloaded.
        """
        for file in self.files:
            if file.name == found.name and file != found:
                raise InvalidCheckpoint(
                    folder / file.name,
                    f"not the file that was downloaded (SHA-256 {found.sha256}, expected {file.sha256}); "
                    "fetch the model again.",
                )

    def check_all(self, folder: Path) -> None:
        """Hold every listed file against the record.

        Raises:
            InvalidCheckpoint: One is missing or another.
        """
        for file in self.files:
            self.check(folder, digest_file(folder / file.name))


def read_manifest(folder: Path) -> Manifest | None:
    """Read the record of a folder, if it was downloaded by `fetch_model`.

    Raises:
        InvalidCheckpoint: The record is malformed.
    """
    path = folder / MANIFEST_FILE
    if not path.exists():
        return None
    document = read_json(path)
    try:
        files = tuple(
            FileDigest(str(file["name"]), int(file["size"]), str(file["sha256"])) for file in document["files"]
        )
        return Manifest(str(document["repository"]), str(document["commit"]), files)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidCheckpoint(path, f"malformed: {error!r}; fetch the model again.") from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the record, last of all and at once: a folder that has one is complete."""
    scratch = folder / f".{MANIFEST_FILE}"
    scratch.write_text(json.dumps(asdict(manifest), indent=1) + "\n", encoding="utf-8")
    scratch.replace(folder / MANIFEST_FILE)
