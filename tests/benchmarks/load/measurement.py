"""A thousand at once, then ever more files, then ten times too many."""

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from tests.benchmarks.load.asking import load_files
from tests.benchmarks.load.files import Sender, Tally, together
from tests.benchmarks.load.fleet import Fleet, running_fleet
from tests.benchmarks.load.people import Habits, Person, be_people
from tests.benchmarks.streams.capacity import word_error_rate
from tests.benchmarks.streams.server import KEY
from whisper_contract.surface import Metric

FEW: Final = "desk"
"""The key of somebody who sends a few files at once."""
MANY: Final = "archive"
"""The key of somebody who has three times as many on their way."""
_PROCESSES: Final = 4
"""Of those who speak and those who send."""
_FILL_SECONDS: Final = 8
"""For how long too much is sent before it is counted: queues are full by then."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How much of everything."""

    model: Path
    replicas: int
    users: int
    """Live sessions."""
    talkers: int
    """Of these, people who say something."""
    speaking: float
    """How many of them do at the same time, on average."""
    files: int
    """Files of the first key on their way at once; of the second, three times as many."""
    seconds: float
    """For how long there is talk."""
    opening: float
    """Seconds in which all connect."""
    steps: Sequence[int]
    """Files on their way at once, to find out how much can be done."""
    step_seconds: float
    excess: float
    """How many times too much is sent at last."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """A thousand at once."""

    people: list[Person]
    files: dict[str, Tally]
    streams: list[float]
    """Of each replica."""
    requests: list[float]
    """Files that each replica answered."""
    memory_before: list[float]
    """MiB of each replica, when it had transcribed a few files."""
    memory: list[float]
    """MiB of each, with all of them."""
    memory_after: list[float]
    """MiB of each, when all had gone."""
    cores: float
    """What the replicas took, of this machine's."""

    @property
    def problems(self) -> list[str]:
        """What went wrong with streams, and with files."""
        errors = [
            f"{name}: {count}× {what}" for name, each in self.files.items() for what, count in each.errors.items()
        ]
        return [each.problem for each in self.people if each.problem is not None] + errors

    @property
    def word_error_rate(self) -> float:
        """Of all that was said."""
        talked = [each for each in self.people if each.said]
        return word_error_rate([" ".join(each.said) for each in talked], [each.heard for each in talked])


@dataclass(frozen=True, slots=True)
class Step:
    """Files, so many on their way at once."""

    at_once: int
    tally: Tally


@dataclass(frozen=True, slots=True)
class Excess:
    """Too many files."""

    offered: float
    """Seconds of audio for each second."""
    tally: Tally
    memory: list[float]
    """MiB of each replica meanwhile."""


@dataclass(frozen=True, slots=True)
class Load:
    """All that was measured."""

    wish: Wish
    crowd: Crowd
    steps: list[Step]
    excess: Excess

    @property
    def peak(self) -> float:
        """The most audio that was transcribed, in seconds for each second."""
        return max(step.tally.goodput for step in self.steps)


def measure_load(wish: Wish) -> Load:
    """Measure all of it, on the same replicas."""
    # Servers go first: without them clients come to their end soon.
    with _clients(_PROCESSES + 2) as clients, running_fleet(wish.model, wish.replicas, (FEW, MANY)) as fleet:
        crowd = _measure_crowd(wish, fleet, clients)
        steps = [_measure_step(wish, fleet, clients, at_once) for at_once in wish.steps]
        best = max(steps, key=lambda step: step.tally.goodput)
        return Load(wish, crowd, steps, _measure_excess(wish, fleet, clients, best.tally))


@contextmanager
def _clients(processes: int) -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        # They are there before anything is measured.
        for started in [pool.submit(time.sleep, 0.5) for _ in range(processes)]:
            started.result()
        yield pool


def _measure_crowd(wish: Wish, fleet: Fleet, clients: ProcessPoolExecutor) -> Crowd:
    Sender(fleet.url, KEY, time.monotonic(), 3).in_turns(2 * wish.replicas)  # what is done once is done
    before, requests = fleet.resident_mib(), fleet.metric(Metric.REQUESTS)
    opens = time.monotonic()
    begin = opens + wish.opening
    turn = sum(file.seconds for file in load_files()) / len(load_files())
    pause = max(0.0, turn * (wish.talkers / wish.speaking - 1)) if wish.speaking else math.inf
    habits = Habits(fleet.url, KEY, opens, begin, begin + wish.seconds, pause)
    people = [clients.submit(be_people, habits, *share) for share in shares(wish.users, wish.talkers, _PROCESSES)]
    senders = {FEW: wish.files, MANY: 3 * wish.files}
    files: dict[str, Future[Tally]] = {
        name: clients.submit(Sender(fleet.url, fleet.keys[name], begin, wish.seconds).in_turns, users)
        for name, users in senders.items()
    }
    time.sleep(max(0.0, begin - time.monotonic()))
    spent = fleet.core_seconds()
    time.sleep(max(0.0, begin + 0.9 * wish.seconds - time.monotonic()))
    streams, memory = fleet.metric(Metric.STREAMS), fleet.resident_mib()
    spent = fleet.core_seconds() - spent
    came = [person for future in people for person in future.result()]
    sent = {name: future.result() for name, future in files.items()}
    answered = [now - then for now, then in zip(fleet.metric(Metric.REQUESTS), requests, strict=True)]
    return Crowd(came, sent, streams, answered, before, memory, fleet.resident_mib(), spent / (0.9 * wish.seconds))


def shares(users: int, talkers: int, processes: int) -> list[tuple[list[int], int]]:
    """Deal people out to processes: the numbers of those who talk, and how many do not."""
    talking = [list(range(first, talkers, processes)) for first in range(processes)]
    silent = [len(range(first, users - talkers, processes)) for first in range(processes)]
    return list(zip(talking, silent, strict=True))


def _measure_step(wish: Wish, fleet: Fleet, clients: ProcessPoolExecutor, at_once: int) -> Step:
    begin = time.monotonic() + 0.5
    each = Sender(fleet.url, KEY, begin, wish.step_seconds)
    halves = [at_once - at_once // 2, at_once // 2]
    sent = [clients.submit(each.in_turns, users) for users in halves if users]
    return Step(at_once, together([future.result() for future in sent]))


def _measure_excess(wish: Wish, fleet: Fleet, clients: ProcessPoolExecutor, best: Tally) -> Excess:
    rate = wish.excess * len(best.times) / best.seconds
    each = Sender(fleet.url, KEY, time.monotonic() + 0.5 + _FILL_SECONDS, 2 * wish.step_seconds)
    sent = [clients.submit(partial(each.at_a_rate, rate / 2, _FILL_SECONDS)) for _ in range(2)]
    time.sleep(_FILL_SECONDS + wish.step_seconds)
    memory = fleet.resident_mib()
    tally = together([future.result() for future in sent])
    offered = rate * best.audio / len(best.times)
    return Excess(offered, tally, memory)
