"""Where transcripts go: one file for each input, never two into one, nothing overwritten unasked."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from whisper_inference.cli.options import OutputFormat
from whisper_inference.errors import InvalidRequest

EXTENSIONS: Final[Mapping[OutputFormat, str]] = MappingProxyType(
    {"txt": ".txt", "srt": ".srt", "vtt": ".vtt", "json": ".json", "verbose_json": ".json"}
)


def name_outputs(files: Sequence[Path], folder: Path, output_format: OutputFormat) -> dict[Path, Path]:
    """Name each input's output: `talk.wav` becomes `talk.srt`, or `talk.wav.srt` where there is a `talk.mp3` too.

    Raises:
        InvalidRequest: Two inputs have the same name in different folders.
    """
    extension = EXTENSIONS[output_format]
    stems = Counter(file.stem for file in files)
    named: dict[Path, Path] = {}
    taken: dict[Path, Path] = {}
    for file in files:
        output = folder / ((file.stem if stems[file.stem] == 1 else file.name) + extension)
        if output in taken:
            raise InvalidRequest(
                f"{taken[output]} and {file} would both be written to {output}: transcribe them into different folders."
            )
        named[file], taken[output] = output, file
    return named


def refuse_existing(outputs: Mapping[Path, Path]) -> None:
    """Make sure that nothing is lost before any work is done.

    Raises:
        InvalidRequest: An output exists already.
    """
    existing = [output for output in outputs.values() if output.exists()]
    if existing:
        more = f" and {len(existing) - 1} more" if existing[1:] else ""
        raise InvalidRequest(f"{existing[0]}{more} exists already: use --overwrite, or another --output-dir.")


def write_output(path: Path, text: str) -> None:
    """Write a transcript whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
