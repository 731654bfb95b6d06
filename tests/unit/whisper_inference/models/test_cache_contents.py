"""What a cache holds, and that clearing it takes only what nobody uses, and only what is this program's."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from whisper_inference.models.cache import CachedRepository
from whisper_inference.models.cache_contents import COMPILED_FOLDER, CacheContents, Kind
from whisper_inference.models.manifest import MANIFEST_FILE
from whisper_inference.models.use import InUse

ALL = frozenset(Kind)
COMMIT, OTHER = "a" * 40, "b" * 40


def write(path: Path, size: int) -> Path:
    """Write a file, and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A cache with two models and one that was compiled."""
    cache = tmp_path / "cache"
    for commit in (COMMIT, OTHER):
        write(cache / "openai--whisper-base" / commit / "model.safetensors", 100)
        write(cache / "openai--whisper-base" / commit / MANIFEST_FILE, 10)
    write(cache / COMPILED_FOLDER / "f00d" / "f32" / "2026.1" / "CPU" / "1.blob", 50)
    return cache


def names(root: Path) -> list[str]:
    """What is kept."""
    return [item.name for item in CacheContents(root).items()]


BASE, BASE_OTHER = f"openai/whisper-base@{COMMIT[:12]}", f"openai/whisper-base@{OTHER[:12]}"
COMPILED = "f00d/f32/2026.1/CPU"


def test_what_is_kept_is_listed_with_its_size(root: Path) -> None:
    items = CacheContents(root).items()
    assert [(item.kind, item.name, item.bytes, item.in_use) for item in items] == [
        ("compiled", COMPILED, 50, False),
        ("model", BASE, 110, False),
        ("model", BASE_OTHER, 110, False),
    ]
    assert CacheContents(root / "nowhere").items() == []


@pytest.mark.parametrize(
    ("kinds", "left"),
    [(ALL, []), (frozenset({Kind.MODEL}), [COMPILED]), (frozenset({Kind.COMPILED}), [BASE, BASE_OTHER])],
)
def test_clearing_frees_what_it_was_asked_to(root: Path, kinds: frozenset[Kind], left: list[str]) -> None:
    cleared = CacheContents(root).clear(kinds)
    assert cleared.kept == ()
    assert len(cleared.removed) == 3 - len(left)
    assert names(root) == left
    for commit in (COMMIT, OTHER):
        whole = CachedRepository.of(root, "openai/whisper-base").complete_snapshot(commit)
        assert (whole is None) == (Kind.MODEL in kinds)


def test_what_is_in_use_here_stays_until_it_is_let_go(root: Path) -> None:
    in_use = InUse()
    in_use.hold(root / "openai--whisper-base" / COMMIT)
    in_use.hold(root / COMPILED_FOLDER / COMPILED)
    cleared = CacheContents(root).clear(ALL)
    assert [item.name for item in cleared.removed] == [BASE_OTHER]
    assert [(item.name, item.in_use) for item in cleared.kept] == [(COMPILED, True), (BASE, True)]
    in_use.close()
    in_use.close()
    assert len(CacheContents(root).clear(ALL).removed) == 2


def test_what_is_forgotten_is_let_go(root: Path) -> None:
    in_use = InUse()
    in_use.hold(root / "openai--whisper-base" / COMMIT)
    del in_use
    assert not any(item.in_use for item in CacheContents(root).items())


@contextmanager
def another_process_holds(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Let a process use a folder until it is killed."""
    code = (
        "import sys; from pathlib import Path; from whisper_inference.models.use import InUse\n"
        "in_use = InUse(); in_use.hold(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_what_another_process_uses_stays_until_it_ends_however_it_ends(root: Path) -> None:
    with another_process_holds(root / "openai--whisper-base" / COMMIT):
        assert [item.name for item in CacheContents(root).clear(ALL).kept] == [BASE]
    assert [item.name for item in CacheContents(root).clear(ALL).removed] == [BASE]


def test_a_model_that_is_being_downloaded_stays(root: Path) -> None:
    with FileLock(CachedRepository.of(root, "openai/whisper-base").lock_file):
        cleared = CacheContents(root).clear(frozenset({Kind.MODEL}))
    assert cleared.removed == ()
    assert names(root) == [COMPILED, BASE, BASE_OTHER]


def test_nothing_that_is_somebody_else_s_is_touched(root: Path, tmp_path: Path) -> None:
    strange = [
        write(tmp_path / "outside" / COMMIT / "precious", 1),
        write(root / "notes.txt", 1),
        write(root / "mine" / COMMIT / "file", 1),
        write(root / "openai--whisper-base" / "not-a-commit" / "file", 1),
        write(root / COMPILED_FOLDER / "f00d" / "notes.txt", 1),
    ]
    (root / "some--link").symlink_to(tmp_path / "outside")
    (root / "openai--whisper-base" / ("c" * 40)).symlink_to(tmp_path / "outside" / COMMIT)
    (root / "openai--whisper-base" / COMMIT / "linked").symlink_to(tmp_path / "outside")
    CacheContents(root).clear(ALL)
    assert names(root) == []
    assert all(path.read_bytes() == b"x" for path in strange)


def test_a_cache_that_cannot_be_written_is_kept_and_using_it_is_no_problem(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests may run as root, for whom nothing is read-only: so the file system's answer is given here."""

    def read_only(*_: object) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("whisper_inference.models.use._open", read_only)
    InUse().hold(root / "openai--whisper-base" / COMMIT)
    assert len(CacheContents(root).clear(ALL).kept) == 3
    assert len(names(root)) == 3


def test_a_file_system_without_locks_marks_nothing_and_loses_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    InUse().hold(root / "openai--whisper-base" / COMMIT)
    assert "cannot be marked" in caplog.text
    assert len(CacheContents(root).clear(ALL).kept) == 3
