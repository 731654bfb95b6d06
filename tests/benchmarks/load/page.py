"""What was measured, as a page for people, with a plot."""

import platform
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from tests.benchmarks.load.files import Tally
from tests.benchmarks.load.measurement import FEW, MANY, Crowd, Load
from tests.benchmarks.machine import BUSY
from tests.benchmarks.report import processor
from tests.benchmarks.streams.figures import percentile

_SHOWN: Final = (50, 95, 99)


def write_page(load: Load, page: Path, *, cores: int, busy: float) -> None:
    """Write the page and, beside it, the plot.

    Args:
        load: What was measured.
        page: Where to write.
        cores: Of this machine.
        busy: Share of them that others took before.
    """
    page.write_text(render_page(load, cores=cores, busy=busy), encoding="utf-8")
    _plot(load, page.with_suffix(".svg"))


def render_page(load: Load, *, cores: int, busy: float) -> str:
    """Render the page alone."""
    return "\n".join(_lines(load, cores, busy)) + "\n"


def imbalance(of_each: Sequence[float]) -> float:
    """Return by how much the busiest replica has more than the average one."""
    mean = sum(of_each) / len(of_each)
    return max(of_each) / mean - 1 if mean else 0.0


def fairness(tallies: Sequence[Tally], at_once: Sequence[int]) -> float:
    """Return Jain's index of the audio that each key got for a file that it had on its way: 1 is the same for all."""
    got = [tally.audio / files for tally, files in zip(tallies, at_once, strict=True)]
    squares = sum(each**2 for each in got)
    return sum(got) ** 2 / (len(got) * squares) if squares else 1.0


def _lines(load: Load, cores: int, busy: float) -> Iterator[str]:
    wish = load.wish
    yield f"""\
# Benchmarks under load

Made by `make load`; do not edit. {wish.replicas} replicas with one Redis behind one address that deals out connections,
the demo model with `WHISPER_THREADS=1`, and the people and programs that use them, all on the same machine. Who uses
them are processes of their own. Limits of a credential are lifted; the others are a server's own.

Machine: {processor()}, {cores} cores · Python {platform.python_version()} · OpenVINO {version("openvino")} ·
{datetime.now(UTC).date()} · others took {busy:.0%} of the processor before the run

![lag of live text, and files transcribed by load](benchmarks-load.svg)
"""
    if busy > BUSY:
        yield "**The machine was busy with other work: take times and amounts for worse than they are.**\n"
    yield from _crowd(load)
    yield from _steps(load)


def _crowd(load: Load) -> Iterator[str]:
    wish, crowd = load.wish, load.crowd
    turns = sum(each.turns for each in crowd.people)
    memory = ", ".join(map(_mib, (crowd.memory_before, crowd.memory, crowd.memory_after)))
    yield f"""\
## {wish.users:,} live sessions

{wish.users - wish.talkers:,} say nothing; {wish.talkers:,} say a sentence now and then, {wish.speaking:g} at the same
time on average ({turns:,} sentences in {wish.seconds:g} s). Beside them two keys send files, each the next when one was
answered: `{FEW}` {wish.files} at once, `{MANY}` {3 * wish.files}.

| | |
|---|---|
| sessions that ended with an error | {sum(each.problem is not None for each in crowd.people)} |
| sentences without their final text | {turns - sum(len(each.finals) for each in crowd.people)} |
| word error rate of what was said | {crowd.word_error_rate:.1%} |
| a session is open, p50 / p95 / p99 | {_times([each.opened for each in crowd.people if each.opened > 0])} |
| a hypothesis after the last sample that it covers | {_times(_all(crowd, "lags"))} |
| the final text after the last word; 0.6 s of it are the pause | {_times(_all(crowd, "finals"))} |
| processor time of the replicas | {crowd.cores:.2f} cores |
| memory of a replica: before, with all, when they had gone | {memory} |
| the busiest replica above the average: sessions | {imbalance(crowd.streams):+.0%} |
| the same: files | {imbalance(crowd.requests):+.0%} |

| key | at once | files | errors | 429 | audio-s per s | answered, p50 / p95 / p99 |
|---|---|---|---|---|---|---|"""
    at_once = {FEW: wish.files, MANY: 3 * wish.files}
    for name, tally in crowd.files.items():
        yield (
            f"| `{name}` | {at_once[name]} | {len(tally.times)} | {tally.errors.total()} | {len(tally.refusal_times)} "
            f"| {tally.goodput:.1f} | {_times(tally.times)} |"
        )
    index = fairness(list(crowd.files.values()), list(at_once.values()))
    yield f"\nJain's index of the audio that a key got for each file on its way: {index:.3f}."
    if crowd.problems:
        yield f"\nErrors: {'; '.join(sorted(set(crowd.problems)))}."
    yield ""


def _steps(load: Load) -> Iterator[str]:
    excess = load.excess
    share = excess.tally.goodput / load.peak
    refused = len(excess.tally.refusal_times) / max(1, excess.tally.asked)
    yield f"""\
## Ever more files, then {load.wish.excess:g} times too many

Files of one key, {load.wish.step_seconds:g} s each; then {excess.offered:.0f} s of audio a second, whatever is said.

| | audio-s per s | answered with text | with 429 | errors | text after, p50 / p95 / p99 | 429 after |
|---|---|---|---|---|---|---|"""
    for step in load.steps:
        yield _row(f"{step.at_once} at once", step.tally)
    yield _row(f"**{load.wish.excess:g} times the most**", excess.tally)
    yield f"""
Of the most that was transcribed, **{share:.0%}** still is when {load.wish.excess:g} times as much is sent.
{refused:.0%} are refused, {excess.tally.without_when} of them without `Retry-After`. Memory of a replica then:
{_mib(excess.memory)}."""


def _row(name: str, tally: Tally) -> str:
    return (
        f"| {name} | {tally.goodput:.1f} | {len(tally.times)} | {len(tally.refusal_times)} | {tally.errors.total()} "
        f"| {_times(tally.times)} | {_times(tally.refusal_times)} |"
    )


def _times(seconds: Sequence[float]) -> str:
    if not seconds:
        return ""
    return " / ".join(f"{percentile(seconds, percent):.2f}" for percent in _SHOWN) + " s"


def _mib(of_each: Sequence[float]) -> str:
    return f"{sum(of_each) / len(of_each):.0f} MiB (most {max(of_each):.0f})"


def _all(crowd: Crowd, figure: str) -> list[float]:
    return list(chain.from_iterable(getattr(each, figure) for each in crowd.people))


def _plot(load: Load, target: Path) -> None:
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "whisper-operator"
    canvas = Canvas(figsize=(9, 3.4), layout="constrained")
    times, amounts = canvas.subplots(1, 2)
    _draw_times(times, load.crowd)
    _draw_amounts(amounts, load)
    canvas.savefig(target, metadata={"Date": None})


def _draw_times(axes: Axes, crowd: Crowd) -> None:
    names = {"lags": "hypothesis after its last sample", "finals": "final text after the last word"}
    for figure, name in names.items():
        found = _all(crowd, figure)
        if found:
            axes.plot(np.percentile(found, range(101)), range(101), label=name)
    axes.set_title(f"{len(crowd.people):,} live sessions: % within seconds", fontsize="medium", loc="left")
    axes.set_xlim(left=0)
    axes.legend(fontsize="small", loc="lower right")


def _draw_amounts(axes: Axes, load: Load) -> None:
    names = [str(step.at_once) for step in load.steps] + [f"{load.wish.excess:g}×"]
    amounts = [step.tally.goodput for step in load.steps] + [load.excess.tally.goodput]
    bars = axes.bar(names, amounts, color=["tab:blue"] * len(load.steps) + ["tab:orange"])
    axes.bar_label(bars, fmt="%.0f", padding=2)
    axes.set_title("audio-s transcribed per s, by files at once", fontsize="medium", loc="left")
