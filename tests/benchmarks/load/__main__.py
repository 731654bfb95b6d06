"""Measure replicas under load: `make load`, `make soak`, or `python -m tests.benchmarks.load --help`."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks.load.measurement import Wish, measure_load
from tests.benchmarks.load.page import write_page
from tests.benchmarks.load.soak import soak
from tests.benchmarks.machine import allow_open_files, share_of_others

_FILES: Final = 16384
_MINUTE: Final = 60
_TERMINATED: Final = 143


def main(arguments: Sequence[str]) -> int:
    """Measure as the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("examples/models/demo"))
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--users", type=int, default=1000, help="live sessions")
    parser.add_argument("--talkers", type=int, default=300, help="of these, people who say a sentence now and then")
    parser.add_argument("--speaking", type=float, default=4, help="of these, how many at the same time")
    parser.add_argument(
        "--files", type=int, default=1, help="files of one key on their way at once; the other has three times as many"
    )
    parser.add_argument("--seconds", type=float, default=120, help="for how long there is talk")
    parser.add_argument("--opening", type=float, default=40, help="seconds in which all connect")
    parser.add_argument("--steps", type=int, nargs="+", default=[2, 4, 8, 16, 32])
    parser.add_argument("--step-seconds", type=float, default=12)
    parser.add_argument("--excess", type=float, default=10, help="how many times too many files are sent at last")
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks-load.md"))
    parser.add_argument("--soak", action="store_true", help="use two replicas for long, and see whether memory grows")
    parser.add_argument("--minutes", type=float, default=30, help="of the soak")
    options = vars(parser.parse_args(arguments))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))  # servers are ended with it
    allow_open_files(_FILES)
    page, minutes = options.pop("page"), options.pop("minutes")
    if options.pop("soak"):
        return 0 if soak(options["model"], 2, minutes * _MINUTE) else 1
    busy, began = share_of_others(), time.monotonic()
    write_page(measure_load(Wish(**options)), page, cores=os.cpu_count() or 1, busy=busy)
    sys.stdout.write(f"{page.read_text()}\nIt took {time.monotonic() - began:.0f} s.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
