"""A peer in a process of its own: reads jobs as JSON lines, answers with texts and what they cost.

Its processor time is the process's own, so that systems with different threading compare per core-second.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Literal, Protocol, TypeAlias

Settings: TypeAlias = Literal["same", "defaults"]
"""`same`: English, greedy, temperature 0 without fallback, with timestamps. `defaults`: the system's own."""


@dataclass(frozen=True, slots=True)
class Job:
    """Clips to transcribe, and how."""

    clips: Sequence[str]
    settings: Settings


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job gave and cost."""

    texts: list[str]
    wall_seconds: float
    core_seconds: float
    peak_rss_bytes: int


class Peer(Protocol):
    """One loaded model of another system; used by one thread at a time."""

    def transcribe(self, clip: str, settings: Settings) -> str:
        """Return the text of a sound file."""
        ...


def serve(load: Callable[[int], Peer], *, in_flight: int, cores: int) -> None:
    """Answer jobs until standard input ends.

    With several requests in flight there is one model per core, each on one thread, which is these systems' best use
    of the machine; with one in flight, one model on all cores.
    """
    models = cores if in_flight > 1 else 1
    idle: SimpleQueue[Peer] = SimpleQueue()
    for _ in range(models):
        idle.put(load(cores // models))
    _answer("ready")
    for line in sys.stdin:
        job = Job(**json.loads(line))
        _answer(asdict(_run(job, idle, in_flight)))


def _answer(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _run(job: Job, idle: "SimpleQueue[Peer]", in_flight: int) -> Outcome:
    def one(clip: str) -> str:
        peer = idle.get()
        try:
            return peer.transcribe(clip, job.settings)
        finally:
            idle.put(peer)

    wall, core = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(in_flight) as pool:
        texts = list(pool.map(one, job.clips))
    return Outcome(texts, time.perf_counter() - wall, time.process_time() - core, peak_rss_bytes("self"))


def peak_rss_bytes(process: int | str) -> int:
    """Return a process's peak resident memory; `ru_maxrss` would begin with that of the parent it was forked from."""
    status = Path(f"/proc/{process}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
