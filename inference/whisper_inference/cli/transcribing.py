"""The command `transcribe`: one loaded model, many files, their transcripts in a folder or on standard output."""

import asyncio
import sys
import time
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry
from rich.console import Console

from whisper_contract.runtime import RuntimeConfig
from whisper_inference.cli.files import Outcome, transcribe_each, with_transcriber
from whisper_inference.cli.options import OutputFormat
from whisper_inference.cli.outputs import name_outputs, refuse_existing, write_output
from whisper_inference.cli.progress import FileProgress
from whisper_inference.cli.sentences import describe_engine, describe_outcome, summarize
from whisper_inference.cli.transcripts import render_output
from whisper_inference.composition import Services, open_services
from whisper_inference.errors import InvalidRequest
from whisper_inference.model_loading import LoadedModel, ModelLoader, load_model
from whisper_inference.models.fetch import resolve_model
from whisper_inference.observability.metrics import Metrics
from whisper_inference.transcription import Transcript, TranscriptionOptions

FILES_IN_FLIGHT = 4
"""Files at once: enough to fill the decoder's batch, and few enough that their features fit in memory."""


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for."""

    files: tuple[Path, ...]
    """Each once, in the order given."""
    output_format: OutputFormat
    output_dir: Path | None
    overwrite: bool
    options: TranscriptionOptions

    @property
    def titled(self) -> bool:
        """Several texts in one stream need their files' names; JSON is one line each."""
        return len(self.files) > 1 and self.output_format == "txt"


def run(order: Order, settings: RuntimeConfig, load: ModelLoader | None = None) -> int:
    """Transcribe the files and return the exit code: 1 if any failed.

    Raises:
        WhisperError: Nothing can be transcribed: the outputs would collide, or the model cannot be loaded.
    """
    outputs = plan_outputs(order)
    return asyncio.run(_run(order, settings, load or _load_with_progress, outputs))


def plan_outputs(order: Order) -> dict[Path, Path] | None:
    """Name the outputs, before any work is done; `None` is standard output.

    Raises:
        InvalidRequest: They would collide, replace something, or be no longer readable in one stream.
    """
    if order.output_dir is None:
        if len(order.files) > 1 and order.output_format in {"srt", "vtt"}:
            raise InvalidRequest(f"Several files as {order.output_format} need --output-dir: one file for each.")
        return None
    outputs = name_outputs(order.files, order.output_dir, order.output_format)
    if not order.overwrite:
        refuse_existing(outputs)
    return outputs


def _load_with_progress(settings: RuntimeConfig) -> LoadedModel:
    path = resolve_model(
        settings.model, revision=settings.revision, cache_dir=settings.cache_dir, progress=sys.stderr.isatty()
    )
    return load_model(settings.model_copy(update={"model": str(path)}))


async def _run(order: Order, settings: RuntimeConfig, load: ModelLoader, outputs: dict[Path, Path] | None) -> int:
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    async with open_services(settings, load, Metrics(CollectorRegistry())) as services:
        for sentence in describe_engine(services.scheduler.capabilities, services.attempts):
            console.print(sentence)
        started = time.monotonic()
        outcomes = await _transcribe(order, services, outputs, console)
    if len(outcomes) > 1:
        console.print(summarize(outcomes, time.monotonic() - started))
    return int(any(outcome.problem for outcome in outcomes))


async def _transcribe(
    order: Order, services: Services, outputs: dict[Path, Path] | None, console: Console
) -> list[Outcome]:
    outcomes = []
    with FileProgress(console, len(order.files)) as progress:

        def deliver(file: Path, transcript: Transcript) -> None:
            """Write a transcript beside its file, or print it between two states of the progress bar."""
            text = render_output(transcript, order.output_format, services.model.tokenizer)
            if outputs is not None:
                write_output(outputs[file], text)
                return
            with progress.hidden():
                if order.titled:
                    sys.stdout.write(f"==> {file} <==\n")
                sys.stdout.write(text)
                sys.stdout.flush()

        transcribe = with_transcriber(services.transcriber, order.options, progress.heard)
        each = transcribe_each(order.files, transcribe, deliver, in_flight=FILES_IN_FLIGHT, clock=time.monotonic)
        async with aclosing(each):
            async for outcome in each:
                progress.finished()
                console.print(describe_outcome(outcome))
                outcomes.append(outcome)
    return outcomes
