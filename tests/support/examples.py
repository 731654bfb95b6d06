"""The manifests of the examples."""

from pathlib import Path
from typing import Final

import yaml

from whisper_operator.api.base import KIND
from whisper_operator.children.names import Manifest

EXAMPLES: Final = sorted(Path("examples").glob("*.yaml"))


def resources_of(example: Path) -> list[Manifest]:
    """The resources of ours in a file."""
    return [each for each in _documents(example) if each["kind"] == KIND]


def others_of(example: Path) -> list[Manifest]:
    """What a file has beside them."""
    return [each for each in _documents(example) if each["kind"] != KIND]


def _documents(example: Path) -> list[Manifest]:
    return list(yaml.safe_load_all(example.read_text()))
