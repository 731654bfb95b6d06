"""A checkpoint's JSON file is one bounded object, or it is named in a typed error."""

from pathlib import Path

import pytest

from whisper_inference.errors import InvalidCheckpoint
from whisper_inference.models.json_files import read_json


def test_an_object_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"d_model": 128}')
    assert read_json(path) == {"d_model": 128}


@pytest.mark.parametrize("content", [b"", b"\xff", b"{", b"[" * 99_999, b"1" * 9_999], ids=repr)
def test_what_is_not_json_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(InvalidCheckpoint, match=r"config\.json: not JSON"):
        read_json(path)


def test_what_is_no_object_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("[1]")
    with pytest.raises(InvalidCheckpoint, match="not a JSON object"):
        read_json(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidCheckpoint, match=r"config\.json: the file is missing"):
        read_json(tmp_path / "config.json")


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidCheckpoint, match="cannot be read: Is a directory"):
        read_json(tmp_path)


def test_a_file_beyond_all_bounds_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    with path.open("wb") as file:
        file.truncate(65 * 2**20)
    with pytest.raises(InvalidCheckpoint, match="larger than"):
        read_json(path)
