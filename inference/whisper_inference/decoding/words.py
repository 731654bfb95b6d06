"""Word timestamps: which tokens make a word, when it was said, and how sure the model was.

The rules, its corrections of implausible durations included, are openai-whisper's (`add_word_timestamps`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from whisper_inference.arrays import FloatArray
from whisper_inference.decoding.alignment import attention_ridge, token_starts
from whisper_inference.decoding.logit_rules import log_normalisers
from whisper_inference.decoding.requests import Align, Decoding, Start
from whisper_inference.decoding.windows import FRAMES_PER_SECOND, FRAMES_PER_TOKEN, DecodingModel, WindowInput
from whisper_inference.transcription import Seconds, Segment, Task, Word

_SENTENCE_ENDS = frozenset(".。!！?？")
_OPENING = "\"'“¿([{-"
_CLOSING = "\"'.。,，!！?？:：”)]}、"
_LONGEST_USUAL_WORD: Seconds = 0.7
_PAUSE_IN_WORDS = 4
"""A gap of so many median words makes the word after it suspect of being too long."""
_TOLERANCE: Seconds = 0.5
"""A segment's own times are believed when they are off the words' by more."""


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word with its tokens; times count from the window's beginning."""

    text: str
    tokens: tuple[int, ...]
    start: Seconds
    end: Seconds
    probability: float

    @property
    def duration(self) -> Seconds:
        """How long it lasts."""
        return self.end - self.start


def add_words(
    segments: Sequence[Segment], window: WindowInput, model: DecodingModel, language: str, task: Task
) -> Decoding[tuple[Segment, ...]]:
    """Give each segment its words, and its start and end after them."""
    end_of_text = model.tokenizer.end_of_text
    per_segment = [tuple(token for token in segment.tokens if token < end_of_text) for segment in segments]
    text_tokens = tuple(token for tokens in per_segment for token in tokens)
    if not text_tokens:
        return tuple(segments)
    start = model.tokenizer.start_sequence(language, task, timestamps=False)
    words = yield from _time_words(text_tokens, window, model, start, language)
    median = _median_duration(words)
    words = merge_punctuation(_shorten_at_sentence_ends(words, 2 * median))
    return tuple(_place(segments, [len(tokens) for tokens in per_segment], words, median, window))


def _time_words(
    text_tokens: tuple[int, ...], window: WindowInput, model: DecodingModel, start: tuple[int, ...], language: str
) -> Decoding[list[TimedWord]]:
    end_of_text = model.tokenizer.end_of_text
    tokens = (*start, *text_tokens, end_of_text)
    before = len(start) - 1
    positions = tuple(range(before, before + len(text_tokens)))
    logits = (yield Start(tokens, logits_at=positions))[:, :end_of_text]
    chosen = logits[np.arange(len(text_tokens)), list(text_tokens)]
    probabilities = np.exp(chosen - log_normalisers(logits))
    scores = yield Align(tokens)
    positions_heard = max(1, window.frames // FRAMES_PER_TOKEN)
    ridge = attention_ridge(scores, positions_heard)[before:-1]
    starts = token_starts(ridge) * (FRAMES_PER_TOKEN / FRAMES_PER_SECOND)
    pieces = model.tokenizer.split_to_words([*text_tokens, end_of_text], language)
    if len(pieces) <= 1:
        return []
    return list(_timed(pieces[:-1], starts.tolist(), probabilities))


def _timed(
    pieces: Sequence[tuple[str, list[int]]], starts: Sequence[Seconds], probabilities: FloatArray
) -> Iterator[TimedWord]:
    first = 0
    for text, tokens in pieces:
        stop = first + len(tokens)
        probability = float(probabilities[first:stop].mean())
        yield TimedWord(text, tuple(tokens), starts[first], starts[stop], probability)
        first = stop


def _median_duration(words: Sequence[TimedWord]) -> Seconds:
    durations = [word.duration for word in words if word.duration > 0]
    return min(_LONGEST_USUAL_WORD, float(np.median(durations))) if durations else 0.0


def _shorten_at_sentence_ends(words: Sequence[TimedWord], longest: Seconds) -> list[TimedWord]:
    """Attention lingers where a sentence ends: cut the mark itself, or the word after it."""
    shortened = list(words)
    if not any(word.duration > 0 for word in words):
        return shortened
    for index in range(1, len(shortened)):
        word = shortened[index]
        if word.duration <= longest:
            continue
        if word.text in _SENTENCE_ENDS:
            shortened[index] = replace(word, end=word.start + longest)
        elif shortened[index - 1].text in _SENTENCE_ENDS:
            shortened[index] = replace(word, start=word.end - longest)
    return shortened


def merge_punctuation(words: Sequence[TimedWord]) -> list[TimedWord]:
    """Join opening marks to the word after and closing marks to the word before; tokens are kept, none is lost."""
    return _join_closing(_join_opening(words))


def _join_opening(words: Sequence[TimedWord]) -> list[TimedWord]:
    leftwards: list[TimedWord] = []
    for word in reversed(words):
        following = leftwards[-1] if leftwards else None
        if following and word.text.startswith(" ") and word.text.strip() in _OPENING:
            leftwards[-1] = replace(following, text=word.text + following.text, tokens=word.tokens + following.tokens)
        else:
            leftwards.append(word)
    return leftwards[::-1]


def _join_closing(words: Sequence[TimedWord]) -> list[TimedWord]:
    merged: list[TimedWord] = []
    for word in words:
        previous = merged[-1] if merged else None
        if previous and not previous.text.endswith(" ") and word.text and word.text in _CLOSING:
            merged[-1] = replace(previous, text=previous.text + word.text, tokens=previous.tokens + word.tokens)
        else:
            merged.append(word)
    return merged


def _place(
    segments: Sequence[Segment],
    token_counts: Sequence[int],
    words: Sequence[TimedWord],
    median: Seconds,
    window: WindowInput,
) -> list[Segment]:
    offset, last_speech = window.seek / FRAMES_PER_SECOND, window.last_speech
    placed, next_word = [], 0
    for segment, count in zip(segments, token_counts, strict=True):
        taken, first = 0, next_word
        while next_word < len(words) and taken < count:
            taken += len(words[next_word].tokens)
            next_word += 1
        own = [
            Word(word.text, round(offset + word.start, 2), round(offset + word.end, 2), word.probability)
            for word in words[first:next_word]
        ]
        if own:
            own = _shorten_after_pause(own, last_speech, median)
            segment = _agree(segment, own, median)  # noqa: PLW2901 - the loop is about what becomes of it
            last_speech = segment.end
        placed.append(segment)
    return placed


def _shorten_after_pause(words: list[Word], last_speech: Seconds, median: Seconds) -> list[Word]:
    """After a pause the first words reach back into the silence: bring them to a plausible length."""
    longest = 2 * median
    first = words[0]
    if first.end - last_speech <= median * _PAUSE_IN_WORDS:
        return words
    second = words[1] if len(words) > 1 else None
    if first.end - first.start <= longest and not (second and second.end - first.start > 2 * longest):
        return words
    rest = words[1:]
    if second and second.end - second.start > longest:
        boundary = max(second.end / 2, second.end - longest)
        first, rest = replace(first, end=boundary), [replace(second, start=boundary), *words[2:]]
    return [replace(first, start=max(0.0, first.end - longest)), *rest]


def _agree(segment: Segment, words: list[Word], median: Seconds) -> Segment:
    """Let the words set the segment's times, unless its own are far more plausible."""
    first, start = words[0], segment.start
    if start < first.end and start - _TOLERANCE > first.start:
        words = [replace(first, start=max(0.0, min(first.end - median, start))), *words[1:]]
    else:
        start = first.start
    last, end = words[-1], segment.end
    if end > last.start and end + _TOLERANCE < last.end:
        words = [*words[:-1], replace(last, end=max(last.start + median, end))]
    else:
        end = last.end
    return replace(segment, start=start, end=end, words=tuple(words))
