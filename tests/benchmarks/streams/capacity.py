"""How many speak at once on one core until text comes late, and what text is worth while they do."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

import jiwer

from tests.benchmarks.streams.figures import percentile
from tests.benchmarks.streams.server import Server
from tests.benchmarks.streams.speaker import Heard, Speakers
from tests.benchmarks.streams.speech import make_speech

LATEST_LAG: Final = 1.0
"""Seconds: what 95 of 100 results may lag behind at most."""


@dataclass(frozen=True, slots=True)
class Round:
    """So many who spoke at once."""

    streams: int
    asked_share: float
    share: float
    """Of the time in which each of them speaks; pauses and whole clips make it another than was asked for."""
    interval: float
    """New sound between two hypotheses, as it was asked for."""
    core_seconds_per_second: float
    """Of the server, in all."""
    lag_p50: float
    lag_p95: float
    first_p50: float
    first_p95: float
    stretched_p95: float
    """New sound between two hypotheses, as it was at last."""
    retracted: int
    words: int
    word_error_rate: float
    problems: int

    @property
    def keeps_up(self) -> bool:
        """Nobody waits too long, and nobody was lost."""
        return not self.problems and self.lag_p95 <= LATEST_LAG


async def speak_at_once(
    server: Server, speakers: Speakers, streams: int, seconds: float, share: float, interval: float
) -> Round:
    """Let so many speak, each something else."""
    speeches = [make_speech(number, seconds, share) for number in range(streams)]
    before, began = server.core_seconds, asyncio.get_running_loop().time()
    heard = await asyncio.gather(
        *(speakers.speak(each, language="en", partial_interval_seconds=interval) for each in speeches)
    )
    elapsed = asyncio.get_running_loop().time() - began
    return _judge(heard, share, interval, (server.core_seconds - before) / elapsed)


def _judge(heard: Sequence[Heard], share: float, interval: float, cores: float) -> Round:
    lags, firsts = _all(map(attrgetter("lags"), heard)), _all(map(attrgetter("firsts"), heard))
    said, texts = [each.speech.text for each in heard], list(map(attrgetter("text"), heard))
    return Round(
        streams=len(heard),
        asked_share=share,
        share=_total(heard, "speech.spoken") / _total(heard, "speech.seconds"),
        interval=interval,
        core_seconds_per_second=cores,
        lag_p50=percentile(lags, 50),
        lag_p95=percentile(lags, 95),
        first_p50=percentile(firsts, 50),
        first_p95=percentile(firsts, 95),
        stretched_p95=percentile(_all(each.intervals[-1:] for each in heard) or [interval], 95),
        retracted=round(_total(heard, "retracted")),
        words=len(" ".join(texts).split()),
        word_error_rate=word_error_rate(said, texts),
        problems=len(heard) - list(map(attrgetter("problem"), heard)).count(None),
    )


def _total(heard: Sequence[Heard], figure: str) -> float:
    return float(sum(map(attrgetter(figure), heard)))


def climb(first: int) -> Iterator[int]:
    """Yield numbers of streams, each a quarter more than the last."""
    streams = first
    while True:
        yield streams
        streams = max(streams + 1, round(1.25 * streams))


def word_error_rate(references: Sequence[str], texts: Sequence[str]) -> float:
    """Return the share of words that are wrong, without regard to case and punctuation."""

    def plain(text: str) -> str:
        return " ".join(text.lower().replace(".", " ").replace(",", " ").split())

    return float(jiwer.wer([plain(text) for text in references], [plain(text) for text in texts]))


def _all(lists: Iterable[list[float]]) -> list[float]:
    return [value for values in lists for value in values]
