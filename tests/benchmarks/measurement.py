"""Interleaved rounds: every system transcribes the same clips in each round, in an order that changes."""

import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import jiwer

from tests.benchmarks.contestants import Contestant
from tests.benchmarks.worker import Job, Outcome, Settings


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording with its text."""

    path: str
    text: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One system at one size, one number in flight, one group of settings: medians over the rounds."""

    system: str
    size: str
    settings: Settings
    in_flight: int
    audio_seconds_per_core_second: float
    audio_seconds_per_second: float
    word_error_rate: float
    peak_rss_mib: float | None
    """`None` where it was not measured."""
    rounds: int


def measure(
    contestants: Sequence[Contestant], clips: Sequence[Clip], size: str, settings: Settings, rounds: int
) -> Iterator[Figure]:
    """Run one uncounted round and the counted ones; yield a figure for each system."""
    job = Job([clip.path for clip in clips], settings)
    outcomes: dict[int, list[Outcome]] = {index: [] for index in range(len(contestants))}
    shuffle = random.Random(size)  # noqa: S311 - an order, not a secret
    for counted in range(-1, rounds):
        for index in shuffle.sample(range(len(contestants)), len(contestants)):
            outcome = contestants[index].run(job)
            if counted >= 0:
                outcomes[index].append(outcome)
    for index, contestant in enumerate(contestants):
        yield _figure(contestant, outcomes[index], clips, size, settings)


def _figure(
    contestant: Contestant, outcomes: Sequence[Outcome], clips: Sequence[Clip], size: str, settings: Settings
) -> Figure:
    audio = sum(clip.seconds for clip in clips)
    return Figure(
        system=contestant.name,
        size=size,
        settings=settings,
        in_flight=contestant.in_flight,
        audio_seconds_per_core_second=audio / statistics.median(outcome.core_seconds for outcome in outcomes),
        audio_seconds_per_second=audio / statistics.median(outcome.wall_seconds for outcome in outcomes),
        word_error_rate=_word_error_rate([clip.text for clip in clips], outcomes[0].texts),
        peak_rss_mib=max(outcome.peak_rss_bytes for outcome in outcomes) / 2**20,
        rounds=len(outcomes),
    )


def _word_error_rate(references: Sequence[str], texts: Sequence[str]) -> float:
    def plain(text: str) -> str:
        return " ".join(text.lower().replace(".", " ").replace(",", " ").split())

    return float(jiwer.wer([plain(text) for text in references], [plain(text) for text in texts]))
