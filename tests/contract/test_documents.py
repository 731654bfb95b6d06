"""What the documents tell a reader to type, send and open exists."""

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from scripts.readme_commands import find_commands
from whisper_contract import surface
from whisper_inference.cli.program import build_program
from whisper_inference.errors import UnsupportedField, WhisperError
from whisper_inference.routes.transcription_form import parse_form

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def shell_lines() -> Iterator[list[str]]:
    """Yield the words of every command of the README's shell blocks."""
    for block in re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            yield shlex.split(line)


def after(program: str) -> list[list[str]]:
    """Return what follows a program's name, wherever the README runs it."""
    lines = ([word.removeprefix(".venv/bin/") for word in line] for line in shell_lines())
    return [line[line.index(program) + 1 :] for line in lines if program in line]


def test_every_make_verb_exists() -> None:
    verbs = set(re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "serve", "test", "check", "bench", "generate", "clean"} <= verbs
    used = {words[0] for words in after("make")} | set(re.findall(r"`make ([a-z0-9-]+)", "".join(map(read, DOCUMENTS))))
    assert used <= verbs


def test_every_command_and_option_exists() -> None:
    group = typer.main.get_group(build_program())
    assert len(after("whisper-inference")) >= 4
    for command, *words in after("whisper-inference"):
        known = group.commands[command].params if command in group.commands else group.params
        options = {name for parameter in known for name in [*parameter.opts, *parameter.secondary_opts]} | {"--help"}
        assert {word for word in [command, *words] if word.startswith("-")} <= options


def test_every_route_is_one_that_is_served() -> None:
    described = json.loads((ROOT / "docs/openapi.json").read_text())["paths"]
    served = {re.sub(r"/\{.*", "", path) for path in described} | {surface.METRICS_PATH}
    asked = {re.sub(r"^http://[^/]+", "", words[0]) for words in after("curl")}
    listed = set(re.findall(r"`(?:GET|POST) (/[\w/]+)`", README))
    assert asked <= listed <= served


def test_python_in_the_readme_is_python() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        ast.parse(block)


def field_rows() -> dict[str, str]:
    """Return each field of the README's table with what is said of it."""
    table = README.split("### Fields of a request", 1)[1].split("###", 1)[0]
    rows = re.findall(r"^\| (`.*?) \| (.*) \|$", table, re.MULTILINE)
    return {field: said for fields, said in rows for field in re.findall(r"`([^`]+)`", fields)}


@pytest.mark.parametrize("field", sorted(field_rows().keys() - {"file"}))
def test_every_field_of_the_table_is_known_and_the_refused_ones_are_refused(field: str) -> None:
    refused, said = False, ""
    try:
        parse_form({"model": ["m"]} | {field: ["no such value"]}, "transcribe")
    except UnsupportedField:
        refused = True
    except WhisperError as problem:
        said = str(problem)
    assert refused == ("**refused**" in field_rows()[field])
    assert "Unknown field" not in said


def test_speakers_are_refused_by_name() -> None:
    assert "**`diarized_json` is refused**" in field_rows()["response_format"]
    with pytest.raises(UnsupportedField, match="does not tell speakers apart"):
        parse_form({"model": ["m"], "response_format": ["diarized_json"]}, "transcribe")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", read(document))
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert missing == []


def test_ci_runs_commands_that_the_readme_has() -> None:
    named = re.findall(r"\$\(commands ([a-z]+)\)", (ROOT / ".ci/run").read_text())
    assert named == ["demo", "tests"]
    assert set(named) <= find_commands(README).keys()
    assert find_commands(README)["tests"] == "make test\n"


def read(document: Path) -> str:
    return document.read_text(encoding="utf-8")
