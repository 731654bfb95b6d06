"""Generated files are written, and a file that was edited or forgotten is found."""

from pathlib import Path

import pytest

from scripts.generate import GENERATED, find_outdated, main, render_commands, render_settings, write_generated
from whisper_contract.runtime import RuntimeConfig

ROOT = Path(__file__).parents[3]


def test_what_was_written_is_current_until_it_is_edited_or_lost(tmp_path: Path) -> None:
    generated = {Path("docs/a.md"): lambda: "A\n", Path("b.md"): lambda: "B\n"}
    assert find_outdated(tmp_path, generated) == list(generated)
    write_generated(tmp_path, generated)
    assert find_outdated(tmp_path, generated) == []
    (tmp_path / "docs/a.md").write_text("edited\n")
    (tmp_path / "b.md").unlink()
    assert find_outdated(tmp_path, generated) == list(generated)


@pytest.mark.parametrize("path", [path for path in GENERATED if path.suffix == ".md"], ids=str)
def test_the_committed_pages_are_current(path: Path) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == GENERATED[path]()


def test_every_setting_is_in_the_table() -> None:
    page = render_settings()
    for name, field in RuntimeConfig.model_fields.items():
        assert f"| `WHISPER_{name.upper()}` |" in page
        assert field.description in page if field.description else False


def test_the_commands_page_is_the_same_on_any_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    here = render_commands()
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("WHISPER_MODEL", "elsewhere")
    assert render_commands() == here


def test_the_check_names_what_is_outdated_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    generated = {Path("docs/a.md"): lambda: "A\n"}
    assert main(["--check"], generated) == 1
    assert capsys.readouterr().out == "docs/a.md is outdated: run `make generate`.\n"
    assert main([], generated) == 0
    assert main(["--check"], generated) == 0
