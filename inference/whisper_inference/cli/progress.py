"""A bar on standard error: how many files are done, and how far the text of the latest one reaches."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from whisper_inference.transcription import Seconds


class FileProgress:
    """Shown on a terminal only, and gone at the end."""

    def __init__(self, console: Console, files: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
            redirect_stdout=False,  # transcripts go to standard output; the bar's console is standard error
        )
        self._task = self._progress.add_task("Listening", total=files)

    def heard(self, file: Path, position: Seconds) -> None:
        """Show that a file's text reaches so far."""
        minutes, seconds = divmod(int(position), 60)
        self._progress.update(self._task, description=f"{file.name} {minutes:02}:{seconds:02}")

    def finished(self) -> None:
        """Count a file."""
        self._progress.advance(self._task)

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Make way for what is written to the same terminal."""
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()
