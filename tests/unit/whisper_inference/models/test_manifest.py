"""The record beside a downloaded model is read whole, or its damage is named."""

from pathlib import Path

import pytest

from whisper_inference.errors import InvalidCheckpoint
from whisper_inference.models.cache import default_cache_dir, is_repository_name
from whisper_inference.models.digests import digest_file, fingerprint
from whisper_inference.models.manifest import MANIFEST_FILE, Manifest, read_manifest, write_manifest


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, Manifest]:
    (tmp_path / "config.json").write_text("{}")
    manifest = Manifest("openai/whisper-base", "1" * 40, (digest_file(tmp_path / "config.json"),))
    write_manifest(tmp_path, manifest)
    return tmp_path, manifest


def test_a_record_is_read_as_it_was_written(recorded: tuple[Path, Manifest]) -> None:
    folder, manifest = recorded
    assert read_manifest(folder) == manifest
    manifest.check_all(folder)


def test_a_folder_without_a_record_has_none(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None


@pytest.mark.parametrize("content", ["{}", '{"files": 1}', '{"files": [{"name": "a", "size": "x", "sha256": ""}]}'])
def test_a_malformed_record_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST_FILE).write_text(content)
    with pytest.raises(InvalidCheckpoint, match=f"{MANIFEST_FILE}: malformed: .*; fetch the model again"):
        read_manifest(tmp_path)


def test_a_changed_file_is_named(recorded: tuple[Path, Manifest]) -> None:
    folder, manifest = recorded
    (folder / "config.json").write_text("[]")
    with pytest.raises(InvalidCheckpoint, match=r"config\.json: not the file that was downloaded"):
        manifest.check_all(folder)


def test_a_folder_in_a_file_s_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidCheckpoint, match="cannot be read: Is a directory"):
        digest_file(tmp_path)


def test_a_fingerprint_tells_names_and_contents_apart(tmp_path: Path) -> None:
    for name, content in {"a": "1", "b": "1", "c": "2"}.items():
        (tmp_path / name).write_text(content)
    a, b, c = (digest_file(tmp_path / name) for name in "abc")
    assert len({fingerprint(files) for files in ([a], [b], [c], [a, b], [b, a])}) == 5


def test_models_are_kept_where_caches_belong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_cache_dir() == Path("/somewhere/whisper-inference/models")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_cache_dir() == Path("/home/me/.cache/whisper-inference/models")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("openai/whisper-base.en", True),
        ("base", False),
        ("a/b/c", False),
        ("../b", False),
        ("a/..", False),
        ("é/b", False),
    ],
)
def test_a_repository_name_leads_nowhere_else(name: str, is_one: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    assert is_repository_name(name) == is_one
