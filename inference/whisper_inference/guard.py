"""The hallucination guard: text that nobody said is withheld, each time with a reason. Pure, and no engine's business.

Whisper invents words over silence and noise, and falls into loops. What is withheld here is judged by what was heard
(voice activity), by the model's own doubt, and by the text itself.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from whisper_inference.transcription import Dropped, DropReason, Seconds, Segment, TranscriptionOptions

_LEAST_HEARD: Final[Seconds] = 0.1
"""A segment that overlaps speech by less was not said; its times are exact to 0.02 s at best."""
_LOOP_SPAN_WORDS: Final = 8
"""Words that a loop covers at least: people do say "no no no", and telephone numbers repeat their digits."""
_LOOP_REPEATS: Final = 4
_LONGEST_LOOP_WORDS: Final = 12
_LOOP_CHARACTERS: Final = 40
"""For scripts without spaces: a loop that covers so many characters at least."""
_SAME_TEXT_REPEATS: Final = 3
"""The same sentence so often in a row is a loop across segments; the first is kept."""
_SHORTEST_SENTENCE_WORDS: Final = 3


def withhold_invented(
    segments: Sequence[Segment],
    speech: Sequence[tuple[Seconds, Seconds]],
    options: TranscriptionOptions,
    before: Sequence[Segment] = (),
) -> tuple[tuple[Segment, ...], tuple[Dropped, ...]]:
    """Tell heard segments from invented ones.

    Args:
        segments: A window's, in order.
        speech: Where somebody speaks in the whole audio.
        options: The thresholds; with `guard` off, everything is kept.
        before: The last segments of the windows before, withheld ones too: a loop may go on from there.

    Returns:
        The segments that stay, and what is withheld and why.
    """
    if not options.guard:
        return tuple(segments), ()
    looped = set(_repeats_of_the_same([*before, *segments]))
    kept, dropped = [], []
    for index, segment in enumerate(segments, start=len(before)):
        reason = DropReason.REPETITION if index in looped else _judge(segment, speech, options)
        if reason is None:
            kept.append(segment)
        else:
            dropped.append(Dropped(reason, segment.start, segment.end, segment.text))
    return tuple(kept), tuple(dropped)


def is_loop(text: str) -> bool:
    """Say whether a text falls into a loop: some words, or some characters, again and again."""
    words = text.lower().split()
    return _repeats(words, _LONGEST_LOOP_WORDS, _LOOP_SPAN_WORDS) or _repeats(
        [*"".join(words)], _LOOP_CHARACTERS // _LOOP_REPEATS, _LOOP_CHARACTERS
    )


def _judge(
    segment: Segment, speech: Sequence[tuple[Seconds, Seconds]], options: TranscriptionOptions
) -> DropReason | None:
    if _heard(segment, speech) < min(_LEAST_HEARD, segment.end - segment.start):
        return DropReason.NO_VOICE
    unsure = options.logprob_threshold is not None and segment.avg_logprob < options.logprob_threshold
    if unsure and options.no_speech_threshold is not None and segment.no_speech_prob > options.no_speech_threshold:
        return DropReason.NO_SPEECH
    if is_loop(segment.text):
        return DropReason.REPETITION
    if options.compression_ratio_threshold is not None and (
        segment.compression_ratio > options.compression_ratio_threshold
    ):
        return DropReason.COMPRESSION_RATIO
    return DropReason.LOW_LOGPROB if unsure else None


def _heard(segment: Segment, speech: Sequence[tuple[Seconds, Seconds]]) -> Seconds:
    return sum(max(0.0, min(segment.end, end) - max(segment.start, start)) for start, end in speech)


def _repeats(items: Sequence[str], longest: int, least_span: int) -> bool:
    """Say whether some unit of up to `longest` items follows itself so often that it covers `least_span` of them."""
    for unit in range(1, longest + 1):
        needed = max(least_span, unit * _LOOP_REPEATS)
        run = 0
        for before, after in zip(items, items[unit:], strict=False):
            run = run + 1 if before == after else 0
            if run + unit >= needed:
                return True
    return False


def _repeats_of_the_same(segments: Sequence[Segment]) -> Iterator[int]:
    """Yield the segments that only say again what the ones before said, where that goes on for too long."""
    first = 0
    texts = [" ".join(segment.text.lower().split()) for segment in segments]
    for index in range(1, len(texts) + 1):
        if index < len(texts) and texts[index] == texts[first]:
            continue
        long_enough = len(texts[first].split()) >= _SHORTEST_SENTENCE_WORDS
        if long_enough and index - first >= _SAME_TEXT_REPEATS:
            yield from range(first + 1, index)
        first = index
