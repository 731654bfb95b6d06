"""Figures to a page for people: tables, ratios against the best peer, and a plot."""

import platform
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from tests.benchmarks.measurement import Figure

_OURS = "whisper-operator"
_HEADINGS = {
    "same": "Same settings: English, greedy, temperature 0 without fallback, with timestamps, our guard off",
    "defaults": "Each system's own defaults",
}
_PREAMBLE = """\
# Benchmarks

Made by `make bench`; do not edit. Real sound to real text: the demo model widened to true size
(`tests/support/widen.py`), the clips of `examples/audio`, rounds interleaved in one run, medians. Ours is measured over
HTTP as a server's process; the peers run inside theirs, without HTTP. A core-second is processor time of the process
(user and system), so systems that thread differently compare fairly. With 8 in flight each peer has one model per core
on one thread.

Live speech is in [benchmarks-streaming.md](benchmarks-streaming.md), many users at once in
[benchmarks-load.md](benchmarks-load.md).

Each figure is the median of at least {rounds} counted round(s) after an uncounted one.

Machine: {machine}, {cores} cores used · {date} · OpenVINO {openvino}

![audio-seconds per core-second](benchmarks.svg)
"""


def write_report(figures: Sequence[Figure], cores: int, page: Path) -> None:
    """Write the page and, beside it, the plot."""
    parts = [
        _PREAMBLE.format(
            machine=processor(),
            cores=cores,
            date=datetime.now(UTC).date(),
            openvino=version("openvino"),
            rounds=min(figure.rounds for figure in figures),
        )
    ]
    for settings, heading in _HEADINGS.items():
        rows = [figure for figure in figures if figure.settings == settings]
        if rows:
            parts.append(f"## {heading}\n\n" + "\n".join(_table(rows)) + "\n")
    page.write_text("\n".join(parts))
    _plot(figures, page.with_suffix(".svg"))


def _table(rows: Sequence[Figure]) -> Iterator[str]:
    yield "| size | in flight | system | audio-s per core-s | ours is | audio-s per s | WER % | peak RSS MiB |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for row in rows:
        ours = next(f for f in rows if (f.system, f.size, f.in_flight) == (_OURS, row.size, row.in_flight))
        ratio = ours.audio_seconds_per_core_second / row.audio_seconds_per_core_second
        yield (
            f"| {row.size} | {row.in_flight} | {row.system} | {row.audio_seconds_per_core_second:.2f} "
            f"| {'' if row.system == _OURS else f'{ratio:.2f}×'} | {row.audio_seconds_per_second:.2f} "
            f"| {100 * row.word_error_rate:.1f} | {'' if row.peak_rss_mib is None else f'{row.peak_rss_mib:.0f}'} |"
        )


def _plot(figures: Sequence[Figure], target: Path) -> None:
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = _OURS
    shown = [figure for figure in figures if figure.settings == "same"]
    panels = sorted({(f.size, f.in_flight) for f in shown}, key=lambda panel: [p.size for p in shown].index(panel[0]))
    canvas = Canvas(figsize=(9, 1.6 * len(panels)), layout="constrained")
    for axes, (size, in_flight) in zip(canvas.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True):
        _draw(axes, [figure for figure in shown if (figure.size, figure.in_flight) == (size, in_flight)])
        axes.set_title(f"{size}, {in_flight} in flight: audio-seconds per core-second", fontsize="medium", loc="left")
    canvas.savefig(target, metadata={"Date": None})


def _draw(axes: Axes, figures: Sequence[Figure]) -> None:
    rows = sorted(figures, key=lambda figure: figure.audio_seconds_per_core_second)
    colours = ["tab:orange" if row.system == _OURS else "tab:blue" for row in rows]
    bars = axes.barh([row.system for row in rows], [row.audio_seconds_per_core_second for row in rows], color=colours)
    axes.bar_label(bars, fmt="%.1f", padding=2)


def processor() -> str:
    """Name the processor, and which of its number formats are fast."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    name = next(names, platform.processor())
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    known = [flag for flag in ("avx2", "avx512_vnni", "avx512_bf16", "amx_bf16") if flag in flags]
    return f"{name} ({', '.join(known)})"
