"""What the examples become, against a real API server that has the kinds of others, too."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.support.resources import DEFAULTS, START
from whisper_operator.api.resource import parse
from whisper_operator.children.names import Manifest
from whisper_operator.render import render_children

EXAMPLES: Final = sorted(Path("examples").glob("*.yaml"))


@pytest.mark.usefixtures("foreign_kinds")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_each_child_of_each_example_is_taken_strictly(
    server_side_apply: Callable[[Manifest], None], namespace: str, example: Path
) -> None:
    written = yaml.safe_load(example.read_text())
    written["metadata"]["namespace"] = namespace
    for child in render_children(parse(written), DEFAULTS, START):
        server_side_apply(child)
