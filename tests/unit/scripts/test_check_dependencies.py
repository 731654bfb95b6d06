"""The check for known weaknesses, with and without somebody who knows."""

from pathlib import Path
from typing import Any

import pytest

from scripts import check_dependencies
from scripts.check_dependencies import UNREACHABLE, ask, find_weaknesses, main

WEAK: dict[str, Any] = {
    "name": "leaky",
    "version": "1.0",
    "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["1.1"]}, {"id": "PYSEC-2026-2", "fix_versions": []}],
}


def answering(found: list[dict[str, Any]] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the service say this."""
    monkeypatch.setattr(check_dependencies, "ask", lambda _constraints: found)


def test_each_weakness_is_told_with_what_mends_it() -> None:
    assert list(find_weaknesses([WEAK, {"name": "sound", "version": "2", "vulns": []}])) == [
        "leaky 1.0: PYSEC-2026-1, mended in 1.1",
        "leaky 1.0: PYSEC-2026-2, mended in no version yet",
    ]


def test_a_weakness_fails_the_check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    answering([WEAK], monkeypatch)
    assert main() == 1
    assert "PYSEC-2026-1" in capsys.readouterr().out


def test_without_a_service_one_line_says_so_and_nothing_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(None, monkeypatch)
    assert main() == 0
    assert capsys.readouterr().out == f"{UNREACHABLE}\n"


def test_a_file_that_cannot_be_audited_is_no_answer(tmp_path: Path) -> None:
    assert ask(tmp_path / "missing.txt") is None
