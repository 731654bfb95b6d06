"""Measure our server against its peers: `make bench`, or `python -m tests.benchmarks --help`."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.contestants import Contestant, OurServer, PeerProcess
from tests.benchmarks.measurement import Clip, Figure, measure
from tests.benchmarks.models import PreparedModel, prepare_models
from tests.benchmarks.report import write_report
from tests.benchmarks.worker import Settings

_CLIPS = Path("examples/audio")
_SETTINGS: tuple[Settings, ...] = ("same", "defaults")


def main(arguments: Sequence[str]) -> None:
    """Measure as the arguments say and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=["tiny", "base", "small"])
    parser.add_argument("--in-flight", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--settings", nargs="+", choices=_SETTINGS, default=list(_SETTINGS))
    parser.add_argument("--add", type=Path, help="what an earlier run on this machine printed: it is on the page, too")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--peers-python", type=Path, default=Path(".venv-peers/bin/python"))
    parser.add_argument("--cache", type=Path, default=Path(".cache/benchmarks"))
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks.md"))
    options = parser.parse_args(arguments)
    if options.clips < max(options.in_flight):
        parser.error(f"{max(options.in_flight)} in flight need as many clips; --clips is {options.clips}")
    clips = _load_clips(options.clips)
    figures = _read_figures(options.add) if options.add else []
    for size in options.sizes:
        model = prepare_models(size, options.cache, options.peers_python)
        for in_flight in options.in_flight:
            for figure in _measure_all(model, clips, in_flight, options):
                sys.stdout.write(json.dumps(asdict(figure)) + "\n")
                sys.stdout.flush()
                figures.append(figure)
    write_report(figures, options.cores, options.page)


def _measure_all(
    model: PreparedModel, clips: Sequence[Clip], in_flight: int, options: argparse.Namespace
) -> Iterator[Figure]:
    contestants: list[Contestant] = [OurServer(model.huggingface, in_flight=in_flight, cores=options.cores)]
    contestants += [PeerProcess(setup, in_flight=in_flight, cores=options.cores) for setup in model.peers]
    try:
        for settings in options.settings:
            yield from measure(contestants, clips, model.size, settings, options.rounds)
    finally:
        for contestant in contestants:
            contestant.close()


def _read_figures(log: Path) -> list[Figure]:
    lines = (line for line in log.read_text().splitlines() if line.startswith("{"))
    return [Figure(**json.loads(line)) for line in lines]


def _load_clips(count: int) -> list[Clip]:
    entries = json.loads((_CLIPS / "clips.json").read_text())
    spoken = [entry for entry in entries if entry["text"] and entry["seconds"] <= 30]
    chosen = [spoken[index % len(spoken)] for index in range(count)]
    return [Clip(str(_CLIPS / entry["file"]), entry["text"], entry["seconds"]) for entry in chosen]


if __name__ == "__main__":
    main(sys.argv[1:])
