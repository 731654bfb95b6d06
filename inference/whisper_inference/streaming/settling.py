"""Final segments that take nothing back. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from whisper_inference.streaming.agreement import Agreement, Words, continuation
from whisper_inference.transcription import Segment, Word

SplitWords: TypeAlias = Callable[[Segment], Words]
"""Splits a segment's text into words, each with its leading space."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of an utterance, or of as much as the model hears at once."""

    segments: tuple[Segment, ...]
    carried: Words
    """Words that are stable and that no segment holds yet: the next window hears them again."""


def settle(
    agreement: Agreement, segments: Sequence[Segment], split: SplitWords, spare: Segment, *, heard_again: bool
) -> Settled:
    """Make the last hypothesis final, with the stable words as they were published.

    Args:
        agreement: What is stable.
        segments: The last hypothesis.
        split: Splits text into words.
        spare: Lends its scores to stable words that the last hypothesis lacks altogether.
        heard_again: The next window hears what comes after the segments once more, so stable words may wait for it.
    """
    split_segments = [split(segment) for segment in segments]
    words = tuple(word for each in split_segments for word in each)
    carried = _carried(agreement.stable, words) if heard_again else ()
    said = agreement.stable[: len(agreement.stable) - len(carried)]
    whole = replace(agreement, stable=said).settle(words)
    if whole == words:
        return Settled(tuple(segments), carried)
    if not segments:
        return Settled((replace(spare, text="".join(whole)),) if whole else (), carried)
    return Settled(tuple(_rewritten(segments, list(map(len, split_segments)), whole, len(said))), carried)


def _carried(stable: Words, words: Words) -> Words:
    """Return the stable words that come after all that was heard, and may wait for the next window."""
    carried = continuation(words, stable) if words else ()
    if carried and continuation(stable[: len(stable) - len(carried)], words):
        return ()  # other words stand where stable ones were published: these cannot follow, so they are said here
    return carried


def _rewritten(segments: Sequence[Segment], counts: Sequence[int], words: Words, stable: int) -> Iterator[Segment]:
    """Yield the segments with other words: the stable ones share the places of those that they stand for."""
    total = sum(counts)
    replaced = total - (len(words) - stable)
    before = start = 0
    for segment, count in zip(segments, counts, strict=True):
        before += count
        stop = len(words) - (total - before) if before >= replaced else round(before * stable / replaced)
        if stop > start:
            said = words[start:stop]
            yield replace(segment, text="".join(said), words=_timed(said, segment.words))
        start = stop


def _timed(words: Words, heard: Sequence[Word]) -> tuple[Word, ...]:
    """Give each word the time of the one in its place; none where words were not asked for."""
    if not heard:
        return ()
    return tuple(
        replace(heard[min(index * len(heard) // len(words), len(heard) - 1)], text=word)
        for index, word in enumerate(words)
    )
