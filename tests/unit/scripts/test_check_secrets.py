"""The secret scan: what it finds, and what it lets pass for a reason."""

import hashlib
from pathlib import Path

import pytest

from scripts.check_secrets import EXPLAINED, LEFT_OUT, Finding, is_explained, main


def test_a_secret_is_found_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_up = hashlib.sha256(b"made up, and always the same: some random ones look like words").hexdigest()
    leaked = tmp_path / "settings.py"
    leaked.write_text(f'host = "127.0.0.1"\ndatabase_password = "{made_up}"\n')
    assert main([str(leaked)]) == 1
    assert f"{leaked}:2: " in capsys.readouterr().out


def test_a_file_without_one_passes(tmp_path: Path) -> None:
    clean = tmp_path / "settings.py"
    clean.write_text('password_file = "/run/secrets/password"\n')
    assert main([str(clean)]) == 0


def test_an_explanation_holds_for_its_files_and_its_kind_alone() -> None:
    assert is_explained(Finding("tests/api/test_auth.py", 1, "Secret Keyword"))
    assert not is_explained(Finding("inference/whisper_inference/app.py", 1, "Secret Keyword"))
    assert not is_explained(Finding("tests/api/test_auth.py", 1, "AWS Access Key"))


def test_everything_that_is_let_pass_has_a_reason() -> None:
    assert all([*LEFT_OUT.values(), *EXPLAINED.values()])
