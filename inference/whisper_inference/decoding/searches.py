"""Greedy decoding, sampling and beam search, as generators over the logits that they ask for.

Each is given the logits after the prompt and the number of rows that were started, and returns hypotheses. The rules
of ending and ranking are openai-whisper's (`GreedyDecoder`, `BeamSearchDecoder`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from whisper_inference.arrays import FloatArray
from whisper_inference.decoding.hypotheses import Hypothesis
from whisper_inference.decoding.logit_rules import LogitRules, log_normalisers
from whisper_inference.decoding.requests import Decoding, Step

Choice: TypeAlias = Callable[[FloatArray], NDArray[np.int64]]
"""Chooses a token for each row of `[rows, vocabulary]`."""

_BLOCK = 256
"""Tokens that are summed at once in sampling."""


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """What every search is bound by."""

    rules: LogitRules
    end_of_text: int
    rows: int
    max_tokens: int
    """Tokens that may be written, the end of the text included."""


_COLDEST: Final = 1e-6
"""Under it, the most likely token is always drawn; smaller ones are zero as float32."""


def most_likely_tokens(logits: FloatArray) -> NDArray[np.int64]:
    """Choose greedily."""
    chosen: NDArray[np.int64] = logits.argmax(axis=1)
    return chosen


def sampled_tokens(temperature: float, random: np.random.Generator) -> Choice:
    """Choose at random, by the softmax of the logits over the temperature."""

    def choose(logits: FloatArray) -> NDArray[np.int64]:
        shares = 1 - random.random(len(logits))  # above 0, up to 1
        divisor = np.float32(max(temperature, _COLDEST))
        weights = (np.exp((row - row.max()) / divisor) for row in logits)
        return np.array([_draw(row, share) for row, share in zip(weights, shares, strict=True)], dtype=np.int64)

    return choose


def _draw(weights: FloatArray, share: float) -> int:
    """Return the first token that brings the running sum to its share of the total; never one without weight.

    The sum runs over blocks and then within one: over the whole vocabulary it would take ten times as long.
    """
    blocks = np.add.reduceat(weights, np.arange(0, len(weights), _BLOCK)).cumsum(dtype=np.float64)
    block, share = _reach(blocks, share)
    first = block * _BLOCK
    token, _ = _reach(weights[first : first + _BLOCK].cumsum(dtype=np.float64), share)
    return first + token


def _reach(running: NDArray[np.float64], share: float) -> tuple[int, float]:
    """Return the entry that reaches a share of the total, and the share of that entry which it takes."""
    target = share * running[-1]
    index = int(running.searchsorted(target))
    before = running[index - 1] if index else 0.0
    return index, float((target - before) / (running[index] - before))


def sample(first: FloatArray, space: SearchSpace, choose: Choice) -> Decoding[list[Hypothesis]]:
    """Write each row by itself; a row leaves the batch as soon as it ends.

    Args:
        first: The logits after the prompt, `[vocabulary]`.
        space: The bounds; `rows` independent hypotheses are returned.
        choose: Greedy or at random.
    """
    finished: list[Hypothesis] = []
    live = [Hypothesis()] * space.rows
    logits = np.repeat(first[None], space.rows, axis=0)
    for written in range(1, space.max_tokens + 1):
        extended = _extend(live, logits, space, choose)
        sources = tuple(index for index, hypothesis in enumerate(extended) if not hypothesis.ended)
        finished += [hypothesis for hypothesis in extended if hypothesis.ended]
        live = [extended[index] for index in sources]
        if not live or written == space.max_tokens:
            break
        logits = yield Step(tuple(hypothesis.tokens[-1] for hypothesis in live), sources)
    return finished + live


def _extend(live: list[Hypothesis], logits: FloatArray, space: SearchSpace, choose: Choice) -> list[Hypothesis]:
    space.rules.apply(logits, [hypothesis.tokens for hypothesis in live])
    chosen = choose(logits)
    scores = logits[np.arange(len(live)), chosen] - log_normalisers(logits)
    return [
        hypothesis.extended(int(token), float(score), space.end_of_text)
        for hypothesis, token, score in zip(live, chosen, scores, strict=True)
    ]


def beam_search(first: FloatArray, space: SearchSpace, patience: float) -> Decoding[list[Hypothesis]]:
    """Keep the `rows` likeliest hypotheses until `rows * patience` have ended (Kasai et al. 2022).

    Args:
        first: The logits after the prompt, `[vocabulary]`.
        space: The bounds; `rows` is the beam's width.
        patience: 1 is the usual beam search.
    """
    wanted = round(space.rows * patience)
    finished: list[Hypothesis] = []
    live, logits = [Hypothesis()], first[None].copy()
    for written in range(1, space.max_tokens + 1):
        space.rules.apply(logits, [hypothesis.tokens for hypothesis in live])
        ended, grown = _grow(live, logits, space)
        finished += ended[: wanted - len(finished)]
        live = [hypothesis for hypothesis, _ in grown]
        if len(finished) >= wanted or not live or written == space.max_tokens:
            break
        # After the prompt all rows are alike, so each may take any continuation and none has to be copied.
        sources = tuple(range(len(grown))) if written == 1 else tuple(source for _, source in grown)
        logits = yield Step(tuple(hypothesis.tokens[-1] for hypothesis in live), sources)
    missing = max(0, space.rows - len(finished))
    return finished + sorted(live, key=lambda hypothesis: hypothesis.sum_logprob, reverse=True)[:missing]


def _grow(
    live: list[Hypothesis], logits: FloatArray, space: SearchSpace
) -> tuple[list[Hypothesis], list[tuple[Hypothesis, int]]]:
    """Return those that ended before the beam was full again, and the beam with each one's source."""
    candidates = sorted(_candidates(live, logits, space), key=lambda pair: pair[0].sum_logprob, reverse=True)
    ended: list[Hypothesis] = []
    grown: list[tuple[Hypothesis, int]] = []
    for hypothesis, source in candidates:
        if hypothesis.ended:
            ended.append(hypothesis)
            continue
        grown.append((hypothesis, source))
        if len(grown) == space.rows:
            break
    return ended, grown


def _candidates(live: list[Hypothesis], logits: FloatArray, space: SearchSpace) -> list[tuple[Hypothesis, int]]:
    width = space.rows + 1
    normalisers = log_normalisers(logits)
    candidates = []
    for source, hypothesis in enumerate(live):
        best = np.argpartition(logits[source], -width)[-width:]
        scores = logits[source, best] - normalisers[source]
        candidates += [
            (hypothesis.extended(int(token), float(score), space.end_of_text), source)
            for token, score in zip(best, scores, strict=True)
            if np.isfinite(score)
        ]
    return candidates
