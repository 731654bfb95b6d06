"""What the examples become, against a real API server that has the kinds of others, too."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from scripts.readme_commands import find_commands
from tests.support.examples import EXAMPLES, others_of, resources_of
from tests.support.resources import DEFAULTS, START
from whisper_operator.api.resource import parse
from whisper_operator.children.names import Manifest
from whisper_operator.render import render_children

STEPS: Final = {"canary-more": ["50", "50"], "canary-all": ["0", "100"], "canary-back": ["100", "0"]}
"""Commands of docs/operations.md, and the weights after them."""


@pytest.mark.usefixtures("foreign_kinds")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_each_child_of_each_example_is_taken_strictly(
    server_side_apply: Callable[[Manifest], None], namespace: str, example: Path
) -> None:
    for other in others_of(example):
        server_side_apply(placed(other, namespace))
    for written in resources_of(example):
        for child in render_children(parse(placed(written, namespace)), DEFAULTS, START):
            server_side_apply(child)


def placed(manifest: Manifest, namespace: str) -> Manifest:
    """The manifest in a namespace."""
    return manifest | {"metadata": manifest["metadata"] | {"namespace": namespace}}


@pytest.mark.usefixtures("foreign_kinds")
def test_the_weights_of_a_canary_are_moved_as_the_page_says(shell: Callable[[str], str], namespace: str) -> None:
    commands = find_commands(Path("docs/operations.md").read_text())
    in_namespace = f'kubectl() {{ command kubectl --namespace {namespace} "$@"; }}\n'
    weights = "{.spec.rules[0].backendRefs[*].weight}"
    shell(in_namespace + "kubectl apply -f examples/canary.yaml")
    for name, wanted in STEPS.items():
        shell(in_namespace + commands[name])
        assert shell(in_namespace + f"kubectl get httproute speech -o jsonpath='{weights}'").split() == wanted
