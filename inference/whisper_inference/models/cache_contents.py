"""What lies in a server's cache, and clearing it of what nobody uses.

Only what this program makes is looked at: snapshots of repositories and folders of compiled models, found by their
place and name. Links are not followed, and nothing that comes from outside names a path.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from filelock import FileLock, Timeout

from whisper_inference.models.cache import CachedRepository, is_commit, is_repository_name
from whisper_inference.models.manifest import MANIFEST_FILE
from whisper_inference.models.use import MARKER, alone

COMPILED_FOLDER = "openvino"
"""Beside the repositories; in it lie model, precision, version and device, each a folder."""
_COMPILED_DEPTH = 4


class Kind(StrEnum):
    """What is kept."""

    MODEL = "model"
    """A model at one commit, downloaded."""
    COMPILED = "compiled"
    """What a device made of a model, so that the next start is quick."""


@dataclass(frozen=True, slots=True)
class CachedItem:
    """One thing that is kept."""

    kind: Kind
    name: str
    folder: Path
    bytes: int
    in_use: bool
    """By this process or another one that shares the cache; or it cannot be written."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """What a clearing did."""

    removed: tuple[CachedItem, ...]
    kept: tuple[CachedItem, ...]


@dataclass(frozen=True, slots=True)
class CacheContents:
    """A cache folder as what is in it. Every method blocks for as long as the disk takes."""

    root: Path

    def items(self, kinds: frozenset[Kind] = frozenset(Kind)) -> list[CachedItem]:
        """List what is kept, by name."""
        found = [
            item for kind, name, folder in self._folders() if kind in kinds and (item := _item(kind, name, folder))
        ]
        return sorted(found, key=lambda item: (item.kind, item.name))

    def clear(self, kinds: frozenset[Kind]) -> Cleared:
        """Delete what nobody uses; what is in use, or cannot be deleted, is kept."""
        removed: list[CachedItem] = []
        kept: list[CachedItem] = []
        for item in self.items(kinds):
            (removed if self._remove(item) else kept).append(item)
        return Cleared(tuple(removed), tuple(kept))

    def _remove(self, item: CachedItem) -> bool:
        try:
            if item.kind is Kind.COMPILED:
                return _delete(item.folder)
            # Whoever downloads holds this lock; a snapshot without its record counts as not there from then on.
            with FileLock(CachedRepository(item.folder.parent).lock_file, timeout=0):
                return _delete(item.folder)
        except (OSError, Timeout):
            return False

    def _folders(self) -> Iterator[tuple[Kind, str, Path]]:
        for repository in _subfolders(self.root):
            name = repository.name.replace("--", "/", 1)
            if is_repository_name(name):
                for snapshot in filter(lambda folder: is_commit(folder.name), _subfolders(repository)):
                    yield Kind.MODEL, f"{name}@{snapshot.name[:12]}", snapshot
        level = [self.root / COMPILED_FOLDER]
        for _ in range(_COMPILED_DEPTH):
            level = [below for folder in level for below in _subfolders(folder)]
        for folder in level:
            yield Kind.COMPILED, "/".join(folder.relative_to(self.root / COMPILED_FOLDER).parts), folder


def _item(kind: Kind, name: str, folder: Path) -> CachedItem | None:
    try:
        size = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    except OSError:
        return None  # somebody else deletes it at this moment
    if size == 0:
        return None  # cleared before: its marker stays
    with alone(folder) as unused:
        return CachedItem(kind, name, folder, size, in_use=not unused)


def _delete(folder: Path) -> bool:
    with alone(folder) as unused:
        if unused:
            # First the record: half a snapshot must not pass for a whole one.
            for path in sorted(folder.iterdir(), key=lambda path: path.name != MANIFEST_FILE):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path.name != MARKER:
                    path.unlink(missing_ok=True)
        return unused


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:
        return []
