"""The commands and their options. Each imports what it needs when it runs: `--help` loads no engine."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

import typer

from whisper_inference.cli.options import (
    AudioSecondsOption,
    CacheDirOption,
    DeviceOption,
    EngineOption,
    HostOption,
    ManagementPortOption,
    ModelOption,
    OutputFormat,
    PortOption,
    PrecisionOption,
    RevisionOption,
    RoleName,
    RowsOption,
    TaskName,
    ThreadsOption,
)
from whisper_inference.errors import InvalidRequest, InvalidSettings, UnsupportedField, WhisperError

_USAGE_ERRORS = (InvalidRequest, InvalidSettings, UnsupportedField)
"""What the person who typed the command puts right by typing it differently: exit code 2, as for any bad option."""

_NO_CROWD: Final = MappingProxyType(
    {"max_upload_bytes": 2**40, "max_decoding_seconds": 86_400, "max_backlog_seconds": 1e9}
)
"""The limits that protect a server from strangers do not bind the owner of the machine and of the files."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a typed error is one line on standard error.

    Raises:
        SystemExit: Always: 0 done, 1 failed, 2 asked for wrongly.
    """
    try:
        build_program()(args=arguments, prog_name="whisper-inference")
    except WhisperError as problem:
        sys.stderr.write(f"Error: {problem}\n")
        sys.exit(2 if isinstance(problem, _USAGE_ERRORS) else 1)


def build_program() -> typer.Typer:
    """Build the command line."""
    program = typer.Typer(
        help="Whisper speech-to-text on Intel NPUs, on GPUs and on any CPU: a server, and a command for files.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    program.callback()(_program)
    for command in (serve, transcribe, stream, fetch_model, new_api_key, hash_password):
        program.command()(command)
    return program


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"whisper-inference {version('whisper-operator')}")
        raise typer.Exit


def _program(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Say the version and exit.")
    ] = False,
) -> None:
    """Carry the options that need no command."""
    del version


def serve(
    model: ModelOption,
    *,
    revision: RevisionOption = None,
    device: DeviceOption = None,
    engine: EngineOption = None,
    precision: PrecisionOption = None,
    host: HostOption = None,
    port: PortOption = None,
    management_port: ManagementPortOption = None,
    max_audio_seconds: AudioSecondsOption = None,
    max_rows: RowsOption = None,
    threads: ThreadsOption = None,
    cache_dir: CacheDirOption = None,
) -> None:
    """Serve a model over HTTP, as OpenAI's audio API does.

    The key that clients send is in WHISPER_API_KEY, or in the file that WHISPER_API_KEY_FILE names. With neither, one
    is made and printed once, and the server listens on this machine only. docs/settings.md lists every setting.
    """
    from whisper_inference.cli.settings import read_settings
    from whisper_inference.serving import serve as run_server

    settings = read_settings(
        model=model,
        revision=revision,
        device=device,
        engine=engine,
        precision=precision,
        host=host,
        port=port,
        management_port=management_port,
        max_audio_seconds=max_audio_seconds,
        max_rows=max_rows,
        threads=threads,
        cache_dir=cache_dir,
    )
    run_server(settings)


def transcribe(
    files: Annotated[list[Path], typer.Argument(help="Sound files: WAV, MP3, FLAC, OGG, M4A or WebM.")],
    model: ModelOption,
    *,
    output_format: Annotated[OutputFormat, typer.Option("--format", help="What to write.")] = "txt",
    output_dir: Annotated[
        Path | None, typer.Option(file_okay=False, help="Write a file for each input here, not to standard output.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there already.")] = False,
    language: Annotated[str | None, typer.Option(help="Code or English name, such as en; detected by default.")] = None,
    task: Annotated[TaskName, typer.Option(help="Write what is said, or its English translation.")] = "transcribe",
    prompt: Annotated[str | None, typer.Option(help="Text that comes before: names, spelling, style.")] = None,
    word_timestamps: Annotated[
        bool, typer.Option("--word-timestamps", help="Time each word, for verbose_json.")
    ] = False,
    beam_size: Annotated[int | None, typer.Option(min=1, help="Width of a beam search; greedy by default.")] = None,
    guard: Annotated[bool, typer.Option(help="Withhold words that nobody said.")] = True,
    max_audio_seconds: Annotated[float, typer.Option(min=0, help="The longest audio.")] = 7200.0,
    revision: RevisionOption = None,
    device: DeviceOption = None,
    engine: EngineOption = None,
    precision: PrecisionOption = None,
    max_rows: RowsOption = None,
    threads: ThreadsOption = None,
    cache_dir: CacheDirOption = None,
) -> None:
    """Transcribe sound files in this process.

    A file that fails is named and the others go on; the exit code is then 1. What computed, why earlier devices were
    passed over, and the real-time factor are written to standard error.
    """
    from whisper_inference.cli.settings import read_settings
    from whisper_inference.cli.transcribing import Order, run
    from whisper_inference.models.languages import language_code
    from whisper_inference.transcription import TranscriptionOptions

    options = TranscriptionOptions(
        language=None if language is None else language_code(language),
        task=task,
        prompt=prompt,
        word_timestamps=word_timestamps,
        beam_size=beam_size,
        guard=guard,
    )
    settings = read_settings(
        model=model,
        revision=revision,
        device=device,
        engine=engine,
        precision=precision,
        max_audio_seconds=max_audio_seconds,
        max_rows=max_rows,
        threads=threads,
        cache_dir=cache_dir,
        **_NO_CROWD,
    )
    order = Order(tuple(dict.fromkeys(files)), output_format, output_dir, overwrite, options)
    raise typer.Exit(run(order, settings))


def stream(
    source: Annotated[
        str | None, typer.Argument(help="A sound file, or - for raw samples (16 kHz, 16 bits, mono).")
    ] = None,
    *,
    microphone: Annotated[
        bool, typer.Option("--microphone", help="Speak into this computer's microphone; Ctrl+C ends.")
    ] = False,
    url: Annotated[str, typer.Option(help="The server.")] = "http://127.0.0.1:8000",
    api_key: Annotated[
        str | None, typer.Option(envvar="WHISPER_API_KEY", show_default=False, help="Opens the server.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Code or English name, such as en; detected by default.")] = None,
    task: Annotated[TaskName, typer.Option(help="Write what is said, or its English translation.")] = "transcribe",
    prompt: Annotated[str | None, typer.Option(help="Text that comes before: names, spelling, style.")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Do not wait as long as the file plays.")] = False,
) -> None:
    """Speak to a server, and read the text while it grows.

    What is stable is bright, what may change is dim; the final text goes to standard output, a segment a line.
    """
    from whisper_inference.cli.streaming import Wish, run

    raise typer.Exit(run(Wish(source, url, api_key, fast, microphone), language=language, task=task, prompt=prompt))


def new_api_key(
    name: Annotated[str, typer.Argument(help="Whose key it is: a program or a person, for logs.")],
    *,
    role: Annotated[RoleName, typer.Option(help="What it is good for.")] = "transcriber",
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires; by default it does not.")] = None,
    audio_seconds_per_day: Annotated[
        int | None, typer.Option(min=1, help="Audio that it may send in a day (UTC); by default as all others.")
    ] = None,
    concurrent_requests: Annotated[
        int | None, typer.Option(min=1, help="Requests with audio at once; by default as all others.")
    ] = None,
    concurrent_streams: Annotated[
        int | None, typer.Option(min=1, help="Streams of live speech at once; by default as all others.")
    ] = None,
) -> None:
    """Make an API key: its entry for accounts.yaml on standard output, and the key itself, once, on standard error."""
    from whisper_inference.cli.keys import new_api_key as make
    from whisper_inference.quotas.quota import Quota

    quota = Quota(
        audio_seconds_per_day=audio_seconds_per_day,
        concurrent_requests=concurrent_requests,
        concurrent_streams=concurrent_streams,
    )
    made = make(name, role, days, quota)
    typer.echo(f"Key of {name}, shown this once:\n\n  {made.key}\n", err=True)
    typer.echo(made.entry, nl=False)


def hash_password() -> None:
    """Ask for a password, or read it from standard input, and print what accounts.yaml keeps of it."""
    from whisper_inference.cli.keys import hash_password as hash_it
    from whisper_inference.cli.settings import read_settings

    asked = sys.stdin.isatty()
    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True) if asked else sys.stdin.readline()
    typer.echo(hash_it(password.rstrip("\r\n"), read_settings(model="none")))


def fetch_model(
    name: Annotated[str, typer.Argument(help="A name at the hub, such as openai/whisper-base, or just base.")],
    *,
    revision: RevisionOption = None,
    cache_dir: CacheDirOption = None,
) -> None:
    """Download a model into the cache, or check the one that is there, and print its folder."""
    from whisper_inference.models.fetch import DEFAULT_REVISION
    from whisper_inference.models.fetch import fetch_model as fetch

    typer.echo(fetch(name, revision or DEFAULT_REVISION, cache_dir, progress=sys.stderr.isatty()))
