"""Write the files that are made from others, or check that they are as they would be written.

make generate
python -m scripts.generate --check
"""

import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, get_args, get_origin

import typer
import whisper
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.testing import CliRunner

from scripts import chart
from scripts.api_reference import render_api
from scripts.make_vocabulary import build_vocabulary, read_ranks
from scripts.route_reference import make_described_app, render_routes
from scripts.stream_description import describe_stream
from whisper_contract.runtime import ENVIRONMENT_PREFIX, RuntimeConfig
from whisper_inference.cli.program import build_program
from whisper_inference.routes.description import describe
from whisper_operator.api.crd import build_crd
from whisper_operator.cli import build_program as build_operator
from whisper_operator.settings import ENVIRONMENT_PREFIX as OPERATOR_PREFIX
from whisper_operator.settings import OperatorSettings

_NOTICE = "<!-- Made by `make generate`; do not edit. -->\n"
_ASSETS = Path(whisper.__file__).parent / "assets"
_PROGRAMS: Final[Mapping[str, tuple[Callable[[], typer.Typer], tuple[str, ...]]]] = MappingProxyType(
    {
        "whisper-inference": (
            build_program,
            ("", "serve", "transcribe", "fetch-model", "new-api-key", "hash-password"),
        ),
        "whisper-operator": (build_operator, ("", "run", "render", "crd", "play")),
    }
)


def render_settings() -> str:
    """Render the tables of both programs' settings."""
    return (
        f"{_NOTICE}# Settings\n\n## The server\n\n"
        "Each is an environment variable. The options of `whisper-inference serve` ([cli.md](cli.md)) come first.\n\n"
        f"{_table(RuntimeConfig, ENVIRONMENT_PREFIX)}\n## The operator\n\n{_table(OperatorSettings, OPERATOR_PREFIX)}"
    )


def _table(settings: type[BaseModel], prefix: str) -> str:
    rows = (_row(f"{prefix}{name.upper()}", field) for name, field in settings.model_fields.items())
    return "| variable | value | default | meaning |\n|---|---|---|---|\n" + "".join(rows)


def _row(variable: str, field: FieldInfo) -> str:
    default = (
        "required" if field.is_required() else "" if not field.default and field.default != 0 else f"`{field.default}`"
    )
    return f"| `{variable}` | {_values(field)} | {default} | {field.description} |\n"


def _values(field: FieldInfo) -> str:
    if get_origin(field.annotation) in {tuple, dict}:
        return "JSON list" if get_origin(field.annotation) is tuple else "JSON object"
    choices = [choice for choice in get_args(field.annotation) if isinstance(choice, str)]
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    kinds = [kind for kind in (get_args(field.annotation) or (field.annotation,)) if kind is not type(None)]
    return {
        "bool": "`true`, `false`",
        "str": "text",
        "SecretStr": "text",
        "int": "whole number",
        "float": "number",
        "Path": "path",
    }[kinds[0].__name__]


def render_commands() -> str:
    """Render what each command says of itself."""
    sections = []
    for name, (build, commands) in _PROGRAMS.items():
        sections += [_section(build(), name, command) for command in commands]
    return f"{_NOTICE}# Commands\n\n" + "\n".join(sections)


def _section(program: typer.Typer, name: str, command: str) -> str:
    said = CliRunner().invoke(program, [*command.split(), "--help"], prog_name=name, env={"COLUMNS": "100"}).stdout
    text = re.sub(r"[ \t]+$", "", said.strip("\n"), flags=re.MULTILINE)
    return f"## {name} {command}".rstrip() + f"\n\n```text\n{text}\n```\n"


def render_crd() -> str:
    """Render the definition of the resource."""
    return "# Made by `make generate`; do not edit.\n" + yaml.safe_dump(build_crd(), sort_keys=False, width=120)


def render_description() -> str:
    """Render the description of the server's API."""
    return json.dumps(describe(make_described_app()), ensure_ascii=False, indent=1) + "\n"


def render_stream_description() -> str:
    """Render the description of the stream's messages."""
    return json.dumps(describe_stream(), ensure_ascii=False, indent=1) + "\n"


def _render_vocabulary(name: str) -> Callable[[], str]:
    def render() -> str:
        vocabulary = build_vocabulary(read_ranks(_ASSETS / name))
        return json.dumps(vocabulary, ensure_ascii=False, separators=(",", ":")) + "\n"

    return render


GENERATED: Final[Mapping[Path, Callable[[], str]]] = MappingProxyType(
    {
        Path("docs/settings.md"): render_settings,
        Path("docs/cli.md"): render_commands,
        Path("docs/openapi.json"): render_description,
        Path("docs/routes.md"): lambda: _NOTICE + render_routes(),
        Path("docs/asyncapi.json"): render_stream_description,
        Path("docs/api.md"): lambda: _NOTICE + render_api(),
        Path("crds/whisperdeployments.whisperoperator.dev.yaml"): render_crd,
        chart.CHART / "values.schema.json": chart.render_schema,
        chart.CHART / "README.md": chart.render_readme,
        chart.CHART / "templates/crd.yaml": chart.render_crd_template,
        chart.CHART / "templates/_rights.tpl": chart.render_rights,
        Path("inference/whisper_inference/models/vocabulary/multilingual.json"): _render_vocabulary(
            "multilingual.tiktoken"
        ),
        Path("inference/whisper_inference/models/vocabulary/english.json"): _render_vocabulary("gpt2.tiktoken"),
    }
)
"""Each file that is made, and what makes it."""


def write_generated(root: Path, generated: Mapping[Path, Callable[[], str]]) -> None:
    """Write every file."""
    for path, render in generated.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(render(), encoding="utf-8")


def find_outdated(root: Path, generated: Mapping[Path, Callable[[], str]]) -> list[Path]:
    """Return the files that are not what would be written now."""
    return [path for path, render in generated.items() if not _is_current(root / path, render())]


def _is_current(path: Path, content: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == content


def main(arguments: list[str], generated: Mapping[Path, Callable[[], str]] = GENERATED) -> int:
    """Write or check; return the exit code."""
    if "--check" not in arguments:
        write_generated(Path.cwd(), generated)
        return 0
    outdated = find_outdated(Path.cwd(), generated)
    for path in outdated:
        print(f"{path} is outdated: run `make generate`.")
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
