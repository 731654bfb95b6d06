"""Half an hour of everything: does memory grow?"""

import asyncio
import itertools
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from tests.benchmarks.load.asking import Asker, File
from tests.benchmarks.load.files import Sender, Tally
from tests.benchmarks.load.fleet import Fleet, running_fleet
from tests.benchmarks.load.people import Habits, be_people
from tests.benchmarks.streams.server import KEY

_WARM_UP: Final = 0.25
"""Of the time: until then caches and pools fill."""
_MOST_PER_HOUR: Final = 16.0
"""MiB: what grows by less is taken for flat."""
_SAMPLES: Final = 120
_ROUND_SECONDS: Final = 30
"""For how long people stay before others come."""
_TALKERS: Final = 6
_SILENT: Final = 20
_PAUSE: Final = 20.0
"""Seconds between two sentences of the same person."""
_RUSH_SECONDS: Final = 40
_RUSH_FILES: Final = 32
"""At once: more than the replicas have rows for."""


class Sample(NamedTuple):
    """Memory at a time."""

    seconds: float
    mib: float


@dataclass(frozen=True, slots=True)
class Trend:
    """A straight line through samples, after the warm-up."""

    mib_per_hour: float
    uncertainty: float
    """Two standard errors of that."""

    @property
    def flat(self) -> bool:
        """It does not grow, as far as can be told."""
        return self.mib_per_hour - self.uncertainty <= _MOST_PER_HOUR


def trend(samples: Sequence[Sample]) -> Trend:
    """Fit a line through the samples that come after the warm-up."""
    last = samples[-1].seconds
    kept = [each for each in samples if each.seconds >= _WARM_UP * last]
    hours, mib = (np.array(column) for column in zip(*((each.seconds / 3600, each.mib) for each in kept), strict=True))
    slope, height = np.polyfit(hours, mib, 1)
    scatter = np.sum((mib - slope * hours - height) ** 2) / max(1, len(kept) - 2)
    return Trend(float(slope), float(2 * np.sqrt(scatter / np.sum((hours - hours.mean()) ** 2))))


def soak(model: Path, replicas: int, seconds: float) -> bool:
    """Use replicas for so long, print their memory, and say whether it stayed as it was."""
    with (
        # Servers go first: without them clients come to their end soon.
        ProcessPoolExecutor(3, mp_context=get_context("spawn")) as clients,
        running_fleet(model, replicas, ()) as fleet,
    ):
        _rush(fleet, clients)
        begin = time.monotonic()
        work: list[Future[str] | Future[Tally]] = [
            clients.submit(come_and_go, fleet.url, begin + seconds),
            clients.submit(Sender(fleet.url, KEY, begin, seconds).in_turns, 2),
            clients.submit(send_rubbish, fleet.url, begin + seconds),
        ]
        samples = _watch(fleet, begin, seconds)
        _say("\n".join(str(future.result()) for future in work))
    trends = [trend(each) for each in zip(*samples, strict=True)]
    for number, found in enumerate(trends):
        verdict = "flat" if found.flat else "it grows"
        _say(f"replica {number}: {found.mib_per_hour:+.1f} ± {found.uncertainty:.1f} MiB an hour: {verdict}")
    return all(found.flat for found in trends)


def _rush(fleet: Fleet, clients: ProcessPoolExecutor) -> None:
    """Send as much as replicas take at once: what they keep for it is no growth when it comes to that again."""
    before = fleet.resident_mib()
    sent = clients.submit(Sender(fleet.url, KEY, time.monotonic(), _RUSH_SECONDS).in_turns, _RUSH_FILES).result()
    grown = "  ".join(f"{was:.0f} to {now:.0f} MiB" for was, now in zip(before, fleet.resident_mib(), strict=True))
    _say(f"at first {_RUSH_FILES} files at once: {sent}; {grown}")


def _watch(fleet: Fleet, begin: float, seconds: float) -> list[list[Sample]]:
    samples = []
    for number in range(1, _SAMPLES + 1):
        time.sleep(max(0.0, begin + number * seconds / _SAMPLES - time.monotonic()))
        now = time.monotonic() - begin
        samples.append([Sample(now, mib) for mib in fleet.resident_mib()])
        if number % 4 == 0:
            _say(f"{now / 60:6.1f} min  " + "  ".join(f"{each.mib:7.1f} MiB" for each in samples[-1]))
    return samples


def come_and_go(url: str, end: float) -> str:
    """Let people open streams, speak and leave, others after them; say how it went."""
    people, problems = 0, Counter[str]()
    numbers = itertools.count(step=_TALKERS)
    while (left := end - (now := time.monotonic())) > 1:
        first = next(numbers)
        habits = Habits(url, KEY, now, now + 1, now + min(_ROUND_SECONDS, left), _PAUSE)
        came = be_people(habits, range(first, first + _TALKERS), _SILENT)
        people += len(came)
        problems.update(each.problem for each in came if each.problem is not None)
    return f"{people} streams, of which {problems.total()} ended with an error: {dict(problems)}"


def send_rubbish(url: str, end: float) -> str:
    """Send what is no sound, with the key and without; say what came of it."""
    return str(asyncio.run(_send_rubbish(url, end)))


async def _send_rubbish(url: str, end: float) -> str:
    known, unknown = Asker(url, KEY), Asker(url, "not-the-key")
    rubbish = File(b"no form and no sound" * 500, 0.0)
    tally = Tally(1.0)
    while time.monotonic() < end:
        for asker in (known, unknown):
            tally.take(rubbish, await asker.ask(rubbish))
        await asyncio.sleep(1)
    return f"rubbish was answered with {dict(tally.errors)}"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
