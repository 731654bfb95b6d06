"""The bar is for terminals, and never swallows what goes to standard output."""

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from whisper_inference.cli.progress import FileProgress


def test_a_terminal_shows_how_far_the_files_are() -> None:
    shown = io.StringIO()
    with FileProgress(Console(file=shown, force_terminal=True, width=100), 2) as progress:
        progress.heard(Path("in/a.wav"), 75.3)
        progress.finished()
        progress.heard(Path("in/b.wav"), 1.0)
    assert "b.wav 00:01" in shown.getvalue()
    assert "1/2" in shown.getvalue()


def test_nothing_is_shown_where_there_is_no_terminal() -> None:
    shown = io.StringIO()
    with FileProgress(Console(file=shown), 1) as progress:
        progress.heard(Path("a.wav"), 1.0)
        progress.finished()
    assert shown.getvalue() == ""


def test_standard_output_is_not_caught_by_the_bar(capsys: pytest.CaptureFixture[str]) -> None:
    shown = io.StringIO()
    with FileProgress(Console(file=shown, force_terminal=True), 1) as progress, progress.hidden():
        sys.stdout.write("the text\n")
    assert capsys.readouterr().out == "the text\n"
    assert "the text" not in shown.getvalue()
