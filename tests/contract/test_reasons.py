"""Every reason that a condition can have is in docs/operations.md, and nothing else is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from whisper_operator.events import GOOD

_PLACE: Final = {"Trouble": 0, "_Finding": 2}
"""Which argument is the reason, where a finding is made."""


def _reasons(code: ast.AST) -> Iterator[str]:
    """Every reason that the code names: where it makes a finding, or in a variable called so."""
    for node in ast.walk(code):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _PLACE and node.args:
            yield from _words(node.args[_PLACE[node.func.id]])
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "reason":
            yield from _words(node.value)


def _words(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Constant):
        yield str(value.value)
    if isinstance(value, ast.IfExp):
        yield from (*_words(value.body), *_words(value.orelse))


def test_the_page_has_every_reason_and_no_other() -> None:
    documented = set(re.findall(r"^\| `(\w+)` \|", Path("docs/operations.md").read_text(), re.MULTILINE))
    sources = Path("operator/whisper_operator").rglob("*.py")
    assert {reason for source in sources for reason in _reasons(ast.parse(source.read_text()))} == documented


def test_the_chart_s_alerts_look_at_every_condition_that_people_are_told_of() -> None:
    rules = Path("helm/whisper-operator/templates/prometheusrule.yaml").read_text()
    looked_at = re.findall(r'whisper_operator_condition\{type=~?"([\w|]+)"\}\) == ([01])', rules)
    alerts = {(kind, "False" if value == "1" else "True") for kinds, value in looked_at for kind in kinds.split("|")}
    assert alerts == set(GOOD.items())
