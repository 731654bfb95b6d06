"""Measure live speech: `make bench-stream`, or `python -m tests.benchmarks.streams --help`."""

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import psutil

from tests.benchmarks.machine import allow_open_files, share_of_others
from tests.benchmarks.streams.batch import compare_with_batch
from tests.benchmarks.streams.capacity import Round, climb, speak_at_once
from tests.benchmarks.streams.crowd import measure_crowd
from tests.benchmarks.streams.page import Results, write_page
from tests.benchmarks.streams.policies import compare_policies
from tests.benchmarks.streams.rollout import measure_rollout
from tests.benchmarks.streams.server import KEY, serving
from tests.benchmarks.streams.speaker import Speakers
from tests.benchmarks.streams.speech import make_speech

_FILES = 8192
ResultT = TypeVar("ResultT")


def main(arguments: Sequence[str]) -> None:
    """Measure as the arguments say and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("examples/models/demo"))
    parser.add_argument("--shares", nargs="+", type=float, default=[0.85, 0.4], help="of its time in which each speaks")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds of new sound between partial results")
    parser.add_argument("--seconds", type=float, default=30, help="how long each speaks")
    parser.add_argument("--first", type=int, default=2, help="speakers to begin the search with")
    parser.add_argument("--most", type=int, default=200, help="speakers to end the search with")
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--rollout", type=int, default=100, help="streams under which four replicas are replaced")
    parser.add_argument("--whisperlivekit", type=Path, help="the folder in which its wheel was unpacked")
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks-streaming.md"))
    options = parser.parse_args(arguments)
    allow_open_files(_FILES)
    busy = share_of_others()
    cores = psutil.Process().cpu_affinity()
    theirs, mine = (cores[0], cores[1:]) if len(cores) > 1 else (None, cores)
    psutil.Process().cpu_affinity(mine)  # those who speak must not take time from the server
    results = Results(busy=busy, cores=len(cores), interval=options.interval)
    with serving(options.model, theirs) as server:
        speakers = Speakers(server.url, KEY)
        results.comparison = _said(asyncio.run(compare_with_batch(server, speakers, 60, options.interval)))
        for share in options.shares:
            for streams in _search(options.first, options.most, results.rounds):
                speaking = speak_at_once(server, speakers, streams, options.seconds, share, options.interval)
                results.rounds.append(_said(asyncio.run(speaking)))
    results.crowd = _said(measure_crowd(options.model, options.connections, theirs))
    psutil.Process().cpu_affinity(cores)
    if options.whisperlivekit is not None:
        speech = make_speech(0, 60, 0.85)
        results.policies = _said(asyncio.run(compare_policies(options.model, speech, options.whisperlivekit)))
    results.rollout = _said(asyncio.run(measure_rollout(options.model, options.rollout, 100)))
    write_page(results, options.page)


def _search(first: int, most: int, rounds: list[Round]) -> Iterator[int]:
    """Yield numbers of speakers until they are too many."""
    before = len(rounds)
    for streams in climb(first):
        if streams > most or (len(rounds) > before and not rounds[-1].keeps_up):
            return
        yield streams


def _said(result: ResultT) -> ResultT:
    """Print what came of a measurement."""
    sys.stdout.write(f"{result}\n")
    sys.stdout.flush()
    return result


if __name__ == "__main__":
    main(sys.argv[1:])
