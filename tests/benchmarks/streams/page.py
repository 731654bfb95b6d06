"""What was measured, as a page for people."""

import platform
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.machine import BUSY
from tests.benchmarks.report import processor
from tests.benchmarks.streams.batch import Comparison
from tests.benchmarks.streams.capacity import LATEST_LAG, Round
from tests.benchmarks.streams.crowd import Crowd
from tests.benchmarks.streams.policies import Policy
from tests.benchmarks.streams.rollout import Rollout


@dataclass(slots=True)
class Results:
    """All figures of a run."""

    busy: float
    """Share of all cores that others took before the run."""
    cores: int
    interval: float
    rounds: list[Round] = field(default_factory=list)
    comparison: Comparison | None = None
    crowd: Crowd | None = None
    policies: list[Policy] = field(default_factory=list)
    rollout: Rollout | None = None


def write_page(results: Results, page: Path) -> None:
    """Write the page."""
    page.write_text("\n".join(_lines(results)) + "\n", encoding="utf-8")


def best(rounds: list[Round]) -> dict[float, Round | None]:
    """Return the most that kept up, by the share of its time in which each speaks."""
    found: dict[float, Round | None] = {}
    for each in rounds:
        found.setdefault(each.asked_share, None)
        if each.keeps_up:
            found[each.asked_share] = each
    return found


def _lines(results: Results) -> Iterator[str]:
    yield f"""\
# Benchmarks of live speech

Made by `make bench-stream`; do not edit. The demo model with `WHISPER_THREADS=1`; the clips of `examples/audio`, said
in real time over `/api/v1/stream`, a hypothesis each {results.interval:g} s, `language` given. The server has a core of
its own where there are two; who speaks is on another. Times count from when a sample is spoken, not from when its frame
is sent.

Machine: {processor()}, {results.cores} cores · Python {platform.python_version()} · OpenVINO {version("openvino")} ·
{datetime.now(UTC).date()} · others took {results.busy:.0%} of the processor before the run
"""
    if results.busy > BUSY:
        yield (
            "**The machine was busy with other work: take the times, and how many keep up, for worse than they are.** "
            "Core-seconds and words do not depend on that.\n"
        )
    yield from _alone(results.comparison)
    yield from _at_once(results.rounds)
    yield from _crowd(results.crowd)
    yield from _policies(results.policies)
    yield from _rollout(results.rollout)


def _alone(found: Comparison | None) -> Iterator[str]:
    if found is None:
        return
    yield f"""\
## One who speaks

| | |
|---|---|
| first text after somebody begins to speak, p50 / p95 | {found.first_p50:.2f} s / {found.first_p95:.2f} s |
| a partial result after the last sample that it covers, p50 / p95 | {found.lag_p50:.2f} s / {found.lag_p95:.2f} s |
| words that were stable and taken back | {found.retracted} |
| word error rate of the final segments, of {found.words} words | {found.stream:.1%} |
| the same sound as a file | {found.batch:.1%} |
| what a stream costs | {100 * (found.stream - found.batch):+.1f} points |
"""


def _at_once(rounds: list[Round]) -> Iterator[str]:
    if not rounds:
        return
    yield f"""\
## Many at once, on one core

They keep up while the lag's p95 is {LATEST_LAG:g} s at most and no stream ends with an error. When the engine is busy,
the server lets more sound come between two hypotheses: "stretched" is its p95. "Cores" is the server's processor time.

| streams | each speaks | lag p50 / p95 | first text p50 / p95 | stretched | cores | WER | taken back | lost |
|---|---|---|---|---|---|---|---|---|"""
    for each in rounds:
        yield (
            f"| {'**' if each.keeps_up else ''}{each.streams}{'**' if each.keeps_up else ''} | {each.share:.0%} "
            f"| {each.lag_p50:.2f} / {each.lag_p95:.2f} s | {each.first_p50:.2f} / {each.first_p95:.2f} s "
            f"| {each.stretched_p95:.1f} s | {each.core_seconds_per_second:.2f} | {each.word_error_rate:.1%} "
            f"| {each.retracted} | {each.problems} |"
        )
    for share, most in best(rounds).items():
        count = "fewer than were tried" if most is None else f"**{most.streams}**"
        yield f"\nStreams per core, where each speaks about {share:.0%} of its time: {count}."
    yield ""


def _crowd(found: Crowd | None) -> Iterator[str]:
    if found is None:
        return
    yield f"""\
## {found.connections:,} open streams, in which nobody speaks

| | |
|---|---|
| memory of each | {found.bytes_each / 1024:.0f} KiB |
| what all of them take of a core | {found.core_share:.1%} |
| a ping is answered, p95 | {1000 * found.ping_p95:.1f} ms |
| another stream's `start` and `finish` are answered, p95 | {1000 * found.message_p95:.1f} ms |
| `GET /v1/models`, p95 | {1000 * found.request_p95:.1f} ms |
"""


def _policies(found: list[Policy]) -> Iterator[str]:
    if not found:
        return
    yield """\
## When words become stable

WhisperLiveKit's `OnlineASRProcessor`, which is whisper_streaming's LocalAgreement, was given the same speech and, in
the place of its own recognizer, this engine: greedy, with times of words, its own defaults otherwise (a second of new
sound between two hypotheses, cut at segments beyond 15 s, no voice activity detector). In one process, without a
network; time is processor time, so other programs do not count.

| | cores | windows a second | word to stable, p50 / p95 | WER |
|---|---|---|---|---|"""
    for each in found:
        yield (
            f"| {each.name} | {each.core_seconds_per_second:.2f} | {each.windows_per_second:.2f} "
            f"| {each.stable_p50:.2f} / {each.stable_p95:.2f} s | {each.word_error_rate:.1%} |"
        )
    yield ""


def _rollout(found: Rollout | None) -> Iterator[str]:
    if found is None:
        return
    yield f"""\
## A rollout

{found.streams} streams of `StreamClient` through one address, {found.replicas} replicas with one Redis; each replica is
replaced by a new one, with SIGTERM, while they speak. All of it shares this machine.

| | |
|---|---|
| connections that were opened anew | {found.moves} |
| streams that ended with an error | {found.lost} |
| streams with a segment that is missing or came twice | {found.doubled_or_missing} |
| word error rate | {found.word_error_rate:.1%} |
| the same speech with nothing replaced | {found.undisturbed_word_error_rate:.1%} |
"""
