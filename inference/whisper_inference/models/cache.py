"""The folder in which downloaded models are kept: one folder per repository and commit, and a note per branch.

A commit's folder with a manifest is complete and never changes, so it can be read without a lock, and from a volume
that cannot be written.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from whisper_inference.models.manifest import MANIFEST_FILE

_COMMIT = re.compile(r"[0-9a-f]{40}")

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


def default_cache_dir() -> Path:
    """Return where models are kept unless a person says otherwise: in `XDG_CACHE_HOME`, or `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "whisper-inference" / "models"


def is_repository_name(name: str) -> bool:
    """Whether a text has the form `owner/model`; nothing of that form leads out of a folder."""
    return _REPOSITORY.fullmatch(name) is not None and ".." not in name


def is_commit(revision: str) -> bool:
    """Whether a revision is a full commit hash, which never comes to mean something else."""
    return _COMMIT.fullmatch(revision) is not None


@dataclass(frozen=True, slots=True)
class CachedRepository:
    """What the cache keeps of one repository."""

    folder: Path

    @classmethod
    def of(cls, cache_dir: Path, name: str) -> "CachedRepository":
        """Return the place of a repository, whose name must be one (`is_repository_name`)."""
        return cls(cache_dir / name.replace("/", "--"))

    @property
    def lock_file(self) -> Path:
        """Held by the process that downloads."""
        return self.folder / ".lock"

    def snapshot(self, commit: str) -> Path:
        """Return the folder of a commit, complete or not."""
        return self.folder / commit

    def complete_snapshot(self, commit: str) -> Path | None:
        """Return the folder of a commit if everything is there."""
        folder = self.snapshot(commit)
        return folder if (folder / MANIFEST_FILE).exists() else None

    def remembered(self, revision: str) -> Path | None:
        """Return the complete folder of what a revision last came to."""
        note = self._note(revision)
        commit = revision if is_commit(revision) else note.read_text().strip() if note.exists() else ""
        return self.complete_snapshot(commit) if is_commit(commit) else None

    def remember(self, revision: str, commit: str) -> None:
        """Note what a branch or tag has come to."""
        if is_commit(revision) or self.remembered(revision) == self.snapshot(commit):
            return
        note = self._note(revision)
        note.parent.mkdir(parents=True, exist_ok=True)
        scratch = note.with_name(f".{note.name}.{os.getpid()}")
        scratch.write_text(f"{commit}\n")
        scratch.replace(note)

    def _note(self, revision: str) -> Path:
        return self.folder / "revisions" / f"r-{quote(revision, safe='')}"
