"""The commands: run · render · crd · play."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer
import yaml
from pydantic import ValidationError

from whisper_operator.api.base import API_VERSION, KIND
from whisper_operator.api.crd import build_crd
from whisper_operator.api.resource import WhisperDeployment, parse, problems_of
from whisper_operator.render import render_children
from whisper_operator.settings import OperatorSettings

FileOption: TypeAlias = Annotated[
    Path, typer.Option("--file", "-f", help="A WhisperDeployment, or - for standard input.")
]
DEFAULT_CACHE: Final = Path.home() / ".cache" / "whisper-operator" / "play"


def build_program() -> typer.Typer:
    """Build `whisper-operator`."""
    program = typer.Typer(
        name="whisper-operator",
        help="Whisper speech-to-text on Kubernetes.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    for command in (run, render, crd, play):
        program.command()(command)
    return program


def run() -> None:
    """Run the operator against the cluster that this runs in, or that of the kubeconfig.

    Its settings are in WHISPER_OPERATOR_*.
    """
    from whisper_operator.main import run as run_operator  # noqa: PLC0415 - kopf is slow to import

    run_operator(OperatorSettings())


def render(file: FileOption) -> None:
    """Print the manifests that the operator would apply, for review or GitOps.

    Keys are not part of it: create the Secret yourself, or let the operator.
    """
    now = datetime.now(UTC)
    for owner in _read(file):
        children = render_children(owner, OperatorSettings().defaults, now)
        typer.echo(yaml.safe_dump_all(children, sort_keys=False, explicit_start=True), nl=False)


def crd() -> None:
    """Print the CustomResourceDefinition."""
    typer.echo(yaml.safe_dump(build_crd(), sort_keys=False), nl=False)


def play(
    file: FileOption,
    transcribe: Annotated[
        list[Path] | None, typer.Option(dir_okay=False, exists=True, help="Transcribe this and end; may be repeated.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 takes a free one.")] = 8000,
    cache_dir: Annotated[
        Path, typer.Option(file_okay=False, show_default="in ~/.cache", help="Where models are kept.")
    ] = DEFAULT_CACHE,
) -> None:
    """Run the pods of a WhisperDeployment as processes of this machine, without a cluster.

    Each pool that the operator would run here is one process, with its pod's own arguments, variables and probes, all
    behind one URL. A path of the server's image is looked for here, and then in examples/models of this folder.
    """
    from whisper_operator.play.session import PlayFailed, Wish  # noqa: PLC0415 - slow to import
    from whisper_operator.play.session import play as run_session  # noqa: PLC0415 - the same

    owners = _read(file)
    if len(owners) != 1:
        raise typer.BadParameter(f"has {len(owners)} resources; play runs one", param_hint="--file")
    wish = Wish(port if not transcribe else 0, transcribe or [], cache_dir.resolve(), _models(owners[0]))
    try:
        asyncio.run(run_session(owners[0], wish, lambda line: typer.echo(line, err=True), typer.echo))
    except PlayFailed as problem:
        typer.echo(str(problem), err=True)
        raise typer.Exit(1) from problem


def _models(owner: WhisperDeployment) -> dict[str, Path]:
    inside = owner.spec.model.source.path
    if inside is None or Path(inside).exists():
        return {}
    return {inside: Path("examples/models", Path(inside).name).resolve()}


def _read(file: Path) -> list[WhisperDeployment]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
    except OSError as problem:
        raise typer.BadParameter(str(problem), param_hint="--file") from problem
    try:
        return [parse(_checked(document)) for document in yaml.safe_load_all(text) if document is not None]
    except ValidationError as problem:
        for sentence in problems_of(problem):
            typer.echo(sentence, err=True)
        raise typer.Exit(1) from problem


def _checked(document: object) -> dict[str, Any]:
    if isinstance(document, dict) and (document.get("apiVersion"), document.get("kind")) == (API_VERSION, KIND):
        return document
    raise typer.BadParameter(f"not a {KIND} of {API_VERSION}", param_hint="--file")
