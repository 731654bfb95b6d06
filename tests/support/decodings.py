"""Small decodings for tests of whatever drives them, and what they must result in."""

import math
from collections.abc import Iterable
from typing import TypeVar

import numpy as np

from tests.support.scripted_engine import Script, window_key
from whisper_inference.arrays import FloatArray
from whisper_inference.decoding.requests import Align, Decoding, Start, Step

ResultT = TypeVar("ResultT")

Tokens = tuple[int, ...]


def greedy(prompt: Tokens, steps: int) -> Decoding[Tokens]:
    """Take the likeliest token `steps` times."""
    logits = yield Start(prompt, (len(prompt) - 1,))
    tokens: list[int] = []
    for _ in range(steps):
        tokens.append(int(logits[0].argmax()))
        logits[0] = -math.inf  # the array is ours to change, and must not be anybody else's
        logits = yield Step((tokens[-1],), (0,))
    return tuple(tokens)


def branching(prompt: Tokens, steps: int, width: int) -> Decoding[tuple[Tokens, ...]]:
    """Begin with one row, then with `width`; rows double, swap, and one leaves at every other step. Align at the end.

    Which rows go on depends on the logits, so that a mistake in their order changes the result.
    """
    first = yield Start(prompt, (0,))
    start = int(first[0].argmax())
    logits = yield Start((*prompt, start), (len(prompt),), rows=width)
    rows: list[Tokens] = [(start,)] * width
    logits = np.repeat(logits, width, axis=0)
    for step in range(steps):
        scores = logits.max(axis=1)
        keep = max(1, len(rows) - step % 2)
        sources = tuple(int(scores[index:].argmax()) + index for index in range(keep))
        tokens = tuple((int(logits[source].argmax()) + index) % logits.shape[1] for index, source in enumerate(sources))
        rows = [(*rows[source], token) for source, token in zip(sources, tokens, strict=True)]
        logits = yield Step(tokens, sources)
    aligned = yield Align(prompt)
    return (*rows, (aligned.shape[1],))


def failing(prompt: Tokens, steps: int) -> Decoding[Tokens]:
    """Raise `ArithmeticError` after some steps."""
    yield from greedy(prompt, steps)
    raise ArithmeticError("the rules are wrong")


def decode_alone(script: Script, log_mel: FloatArray, decoding: Decoding[ResultT]) -> ResultT:
    """What the decoding results in, straight from the script: no engine, no rows, no batch."""
    key = window_key(log_mel)
    histories: list[Tokens] = []

    def answers(of: Iterable[Tokens]) -> FloatArray:
        return np.stack([script(key, history) for history in of])

    try:
        request = next(decoding)
        while True:
            match request:
                case Start(tokens, logits_at, rows):
                    histories = [tokens] * rows
                    request = decoding.send(answers(tokens[: at + 1] for at in logits_at))
                case Step(tokens, sources):
                    histories = [(*histories[at], token) for at, token in zip(sources, tokens, strict=True)]
                    request = decoding.send(answers(histories))
                case Align(tokens):
                    request = decoding.send(np.zeros((1, len(tokens), 1500), dtype=np.float32))
    except StopIteration as done:
        result: ResultT = done.value
        return result
