"""The load's own arithmetic, and its page: a benchmark that counts wrong is worse than none."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.benchmarks.load.asking import Answer, File
from tests.benchmarks.load.files import Tally, together
from tests.benchmarks.load.measurement import FEW, MANY, Crowd, Excess, Load, Step, Wish, shares
from tests.benchmarks.load.page import fairness, imbalance, render_page, write_page
from tests.benchmarks.load.people import Person
from tests.benchmarks.load.soak import Sample, trend

FILE: Final = File(b"", 4.0)


def tally(*answers: Answer, seconds: float = 2.0) -> Tally:
    """What was counted of some answers to clips of four seconds."""
    counted = Tally(seconds)
    for answer in answers:
        counted.take(FILE, answer)
    return counted


def test_goodput_is_what_was_transcribed_and_nothing_else() -> None:
    counted = tally(Answer(200, None, 0.1), Answer(429, "2", 0.01), Answer(429, None, 0.01), Answer(500, None, 0.1))
    assert counted.goodput == 2.0
    assert (counted.asked, counted.without_when, counted.errors) == (4, 1, Counter({"500": 1}))
    both = together([counted, tally(Answer(200, None, 0.3))])
    assert (both.goodput, both.times, both.seconds) == (4.0, [0.1, 0.3], 2.0)


def test_keys_are_compared_by_what_each_file_on_its_way_got() -> None:
    one, other = tally(Answer(200, None, 0.1)), tally(*[Answer(200, None, 0.1)] * 3)
    assert fairness([one, other], [1, 3]) == 1.0
    assert fairness([one, other], [1, 1]) == pytest.approx(0.8)
    assert fairness([tally(), tally()], [1, 1]) == 1.0


def test_replicas_are_compared_with_their_average() -> None:
    assert imbalance([10, 10, 10, 10]) == 0
    assert imbalance([0, 0, 0, 40]) == 3
    assert imbalance([0, 0]) == 0


def test_everybody_is_dealt_out_once() -> None:
    dealt = shares(1000, 301, 4)
    assert sorted(number for talkers, _ in dealt for number in talkers) == list(range(301))
    assert sum(silent for _, silent in dealt) == 699
    assert max(len(talkers) + silent for talkers, silent in dealt) - 250 <= 1


def test_memory_that_grows_is_told_from_memory_that_does_not() -> None:
    minutes = range(31)
    flat = [Sample(60 * each, 300 + each % 3) for each in minutes]
    leaking = [Sample(60 * each, 300 + each % 3 + each) for each in minutes]
    filling = [Sample(60 * each, 300 + 10 * min(each, 7)) for each in minutes]
    assert trend(flat).flat
    assert trend(filling).flat
    assert not trend(leaking).flat
    assert trend(leaking).mib_per_hour == pytest.approx(60, abs=3)


def test_the_page_has_every_figure(tmp_path: Path) -> None:
    wish = Wish(Path("model"), 2, 10, 3, 1.0, 1, 5.0, 1.0, [2, 4], 2.0, 10.0)
    people = [Person(opened=0.1, turns=1, lags=[0.2], finals=[0.9], said=["a b"], heard="a b")] * 3
    files = {FEW: tally(Answer(200, None, 0.1)), MANY: tally(*[Answer(200, None, 0.2)] * 3)}
    crowd = Crowd(people, files, [5, 5], [2, 2], [300, 301], [310, 320], [305, 306], 1.5)
    steps = [Step(2, tally(*[Answer(200, None, 0.1)] * 4)), Step(4, tally(*[Answer(200, None, 0.1)] * 5))]
    excess = Excess(100, tally(*[Answer(200, None, 1.0)] * 4, Answer(429, "1", 0.01)), [330, 340])
    load = Load(wish, crowd, steps, excess)
    write_page(load, tmp_path / "load.md", cores=2, busy=0.1)
    page = (tmp_path / "load.md").read_text()
    assert "**80%** still is" in page
    assert "for each file on its way: 1.000" in page
    assert "busy with other work" not in page
    assert "Errors" not in page
    assert (tmp_path / "load.svg").read_text().startswith("<?xml")
    lost = replace(crowd, people=[replace(people[0], problem="connection_lost"), *people[1:]])
    busy = render_page(replace(load, crowd=lost), cores=2, busy=2.0)
    assert "Errors: connection_lost." in busy
    assert "busy with other work" in busy
