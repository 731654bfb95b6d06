"""Searches over small tables of logits: what is chosen, what ends, which rows leave."""

from collections.abc import Callable

import numpy as np
import pytest

from tests.support.speech import speaking_model
from whisper_inference.arrays import FloatArray
from whisper_inference.decoding.hypotheses import Hypothesis, most_likely
from whisper_inference.decoding.logit_rules import LogitRules
from whisper_inference.decoding.requests import Decoding, Step
from whisper_inference.decoding.searches import SearchSpace, beam_search, most_likely_tokens, sample, sampled_tokens

MODEL = speaking_model()
END = MODEL.tokenizer.end_of_text
A, B, C = 1000, 2000, 3000

Table = Callable[[tuple[int, ...]], dict[int, float]]
"""Log-probabilities after what a row has written; all else is impossible."""


def logits_of(table: Table, written: tuple[int, ...]) -> FloatArray:
    """One row of logits."""
    row = np.full(MODEL.dimensions.vocabulary, -1e9, dtype=np.float32)
    for token, logprob in table(written).items():
        row[token] = logprob
    return row


def drive(search: Decoding[list[Hypothesis]], table: Table, rows: int) -> tuple[list[Hypothesis], list[Step]]:
    """Answer a search from the table, keeping the rows' histories as an engine would."""
    histories: list[tuple[int, ...]] = [()] * rows
    steps: list[Step] = []
    try:
        request = next(search)
        while True:
            assert isinstance(request, Step)
            steps.append(request)
            pairs = zip(request.tokens, request.sources, strict=True)
            histories = [(*histories[source], token) for token, source in pairs]
            request = search.send(np.stack([logits_of(table, history) for history in histories]))
    except StopIteration as done:
        hypotheses: list[Hypothesis] = done.value
        return hypotheses, steps


def space(rows: int = 1, max_tokens: int = 10) -> SearchSpace:
    """No timestamps, so that the tables stay small."""
    return SearchSpace(LogitRules(MODEL, timestamps=False), END, rows, max_tokens)


def two_ways(written: tuple[int, ...]) -> dict[int, float]:
    """`A` looks better at first; `B C` is better as a whole."""
    return {
        (): {A: np.log(0.6), B: np.log(0.4)},
        (A,): {C: np.log(0.3), B: np.log(0.3), END: np.log(0.4)},
        (B,): {C: np.log(0.99), END: np.log(0.01)},
    }.get(written, {END: 0.0})


def test_greedy_takes_the_likeliest_token_and_ends() -> None:
    hypotheses, steps = drive(sample(logits_of(two_ways, ()), space(), most_likely_tokens), two_ways, 1)
    assert [hypothesis.tokens for hypothesis in hypotheses] == [[A]]
    assert hypotheses[0].ended
    assert hypotheses[0].sum_logprob == pytest.approx(np.log(0.6) + np.log(0.4), abs=1e-5)
    assert steps == [Step((A,), (0,))]


def test_the_mean_log_probability_counts_the_end() -> None:
    hypotheses, _ = drive(sample(logits_of(two_ways, ()), space(), most_likely_tokens), two_ways, 1)
    assert hypotheses[0].avg_logprob == pytest.approx((np.log(0.6) + np.log(0.4)) / 2, abs=1e-5)


def test_beam_search_finds_what_greedy_misses() -> None:
    hypotheses, _ = drive(beam_search(logits_of(two_ways, ()), space(rows=2), 1.0), two_ways, 2)
    assert most_likely(hypotheses, None).tokens == [B, C]


def test_patience_keeps_the_beam_searching() -> None:
    _, short = drive(beam_search(logits_of(two_ways, ()), space(rows=2), 1.0), two_ways, 2)
    hypotheses, long = drive(beam_search(logits_of(two_ways, ()), space(rows=2), 2.0), two_ways, 2)
    assert len(long) >= len(short)
    assert len(hypotheses) >= 2


def test_a_search_stops_at_its_last_token_without_asking_once_more() -> None:
    def endless(_written: tuple[int, ...]) -> dict[int, float]:
        return {A: 0.0}

    for search, rows in (
        (sample(logits_of(endless, ()), space(max_tokens=3), most_likely_tokens), 1),
        (beam_search(logits_of(endless, ()), space(rows=2, max_tokens=3), 1.0), 2),
    ):
        hypotheses, steps = drive(search, endless, rows)
        assert hypotheses[0].tokens == [A, A, A]
        assert not hypotheses[0].ended
        assert len(steps) == 2


def test_rows_leave_as_soon_as_they_end() -> None:
    chosen = iter([np.array([A, B]), np.array([END, C]), np.array([END])])
    hypotheses, steps = drive(
        sample(logits_of(two_ways, ()), space(rows=2), lambda _logits: next(chosen)),
        lambda _written: {A: 0.0, B: 0.0, C: 0.0, END: 0.0},
        2,
    )
    assert [step.sources for step in steps] == [(0, 1), (1,)]
    assert sorted(hypothesis.tokens for hypothesis in hypotheses) == [[A], [B, C]]


def test_sampling_follows_the_distribution_and_the_seed() -> None:
    logits = np.tile(np.log(np.array([0.7, 0.3], dtype=np.float32)), (4000, 1))
    share = sampled_tokens(1.0, np.random.default_rng(0))(logits).mean()
    assert share == pytest.approx(0.3, abs=0.03)
    cold = sampled_tokens(0.1, np.random.default_rng(0))(logits).mean()
    assert cold < 0.01
    again = sampled_tokens(1.0, np.random.default_rng(0))(logits).mean()
    assert share == again


def test_a_length_penalty_decides_between_short_and_long() -> None:
    short = Hypothesis([A], [-1.0], -1.0)
    long = Hypothesis([A, B, C, A], [-0.4] * 4, -1.6)
    assert most_likely([short, long], None) is long
    assert most_likely([short, long], 0.0) is short


def test_an_empty_hypothesis_is_chosen_last() -> None:
    assert most_likely([Hypothesis(sum_logprob=-0.1), Hypothesis([A], [-9.0], -9.0)], None).tokens == [A]
