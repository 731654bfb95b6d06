"""From tokens with timestamps to segments, and where the next window begins.

Consecutive timestamps cut the text; what follows the last cut is unfinished, and the next window hears it again, if
there is one that does. The rules are those of openai-whisper's `transcribe`.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from whisper_inference.decoding.attempts import Attempt
from whisper_inference.decoding.windows import FRAMES_PER_SECOND, FRAMES_PER_TOKEN, DecodingModel, WindowInput
from whisper_inference.transcription import Seconds, Segment, TokenLogprob, TranscriptionOptions

_SECONDS_PER_TOKEN = FRAMES_PER_TOKEN / FRAMES_PER_SECOND


@dataclass(frozen=True, slots=True)
class Cut:
    """Segments of a window and the frame at which the next one begins."""

    segments: tuple[Segment, ...]
    next_seek: int
    complete: bool
    """The text ended before the window did: nothing in it has to be heard again."""


def cut_into_segments(
    attempt: Attempt, window: WindowInput, model: DecodingModel, options: TranscriptionOptions
) -> Cut:
    """Cut the tokens of a window at its timestamps."""
    tokens, begin = attempt.hypothesis.tokens, model.tokenizer.timestamp_begin
    is_time = [token >= begin for token in tokens]
    complete = is_time[-2:] == [False, True]
    cuts = _cut_points(is_time)
    writer = _SegmentWriter(attempt, window, model, options)
    window_end, duration = window.seek + window.frames, window.frames / FRAMES_PER_SECOND
    if not cuts:
        segment = writer.write(0, len(tokens), 0.0, _last_time(tokens, begin) or duration)
        return Cut((segment,), window_end, complete)
    stops = [*cuts, len(tokens)] if complete or window.heard_once else cuts
    segments = tuple(
        writer.write(start, stop, _time(tokens[start], begin), _end_time(tokens[start:stop], begin, duration))
        for start, stop in itertools.pairwise([0, *stops])
    )
    heard_frames = (tokens[cuts[-1] - 1] - begin) * FRAMES_PER_TOKEN
    # A window that ends where it began would be heard for ever.
    next_seek = window.seek + heard_frames if heard_frames > 0 and not complete else window_end
    return Cut(segments, next_seek, complete)


def _cut_points(is_time: Sequence[bool]) -> list[int]:
    """Return where one segment stops and the next begins: between two times."""
    return [index for index, pair in enumerate(itertools.pairwise(is_time), start=1) if all(pair)]


def without_empty(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Leave out segments without duration or text, and number the others from 0."""
    kept = [segment for segment in segments if segment.start != segment.end and segment.text.strip()]
    return tuple(replace(segment, id=index) for index, segment in enumerate(kept))


def _time(token: int, begin: int) -> Seconds:
    return (token - begin) * _SECONDS_PER_TOKEN


def _last_time(tokens: Sequence[int], begin: int) -> Seconds:
    return _time(next((token for token in reversed(tokens) if token >= begin), begin), begin)


def _end_time(tokens: Sequence[int], begin: int, duration: Seconds) -> Seconds:
    """Return the closing time; text without one lasts until the window does."""
    return _time(tokens[-1], begin) if tokens[-1] >= begin else max(duration, _time(tokens[0], begin))


@dataclass(frozen=True, slots=True)
class _SegmentWriter:
    attempt: Attempt
    window: WindowInput
    model: DecodingModel
    options: TranscriptionOptions

    def write(self, first: int, stop: int, start: Seconds, end: Seconds) -> Segment:
        """Make a segment of the tokens from `first` to before `stop`; times count from the window's beginning."""
        tokens = tuple(self.attempt.hypothesis.tokens[first:stop])
        offset = self.window.seek / FRAMES_PER_SECOND
        return Segment(
            id=0,
            seek=self.window.seek,
            start=offset + start,
            end=offset + end,
            text=self.model.tokenizer.decode(tokens),
            tokens=tokens,
            temperature=self.attempt.temperature,
            avg_logprob=self.attempt.hypothesis.avg_logprob,
            compression_ratio=self.attempt.compression_ratio,
            no_speech_prob=self.attempt.no_speech_prob,
            logprobs=self._logprobs(first, stop) if self.options.logprobs else (),
        )

    def _logprobs(self, first: int, stop: int) -> tuple[TokenLogprob, ...]:
        tokenizer, hypothesis = self.model.tokenizer, self.attempt.hypothesis
        pairs = zip(hypothesis.tokens[first:stop], hypothesis.logprobs[first:stop], strict=True)
        return tuple(
            TokenLogprob(token, tokenizer.token_bytes(token).decode(errors="replace"), logprob)
            for token, logprob in pairs
            if token < tokenizer.end_of_text
        )
