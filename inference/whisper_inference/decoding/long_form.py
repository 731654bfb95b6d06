"""Audio of any length, as a sequence of windows: one after the other, or many at once.

Both ways are generators that never touch an engine: they yield windows and are sent transcripts.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from whisper_inference.arrays import FloatArray
from whisper_inference.decoding.windows import (
    FRAMES_PER_SECOND,
    FRAMES_PER_WINDOW,
    DecodingModel,
    WindowInput,
    WindowTranscript,
)
from whisper_inference.transcription import Seconds, Segment, TranscriptionOptions

_FRESH_START_TEMPERATURE = 0.5
"""Text that needed a higher temperature is too doubtful to condition on."""

_CUT_RANGE = 5 * FRAMES_PER_SECOND
"""Speech without a pause for 30 s is cut within the last seconds of a window, where it is quietest: between words."""
_MOMENT = 20
"""Frames over which loudness is smoothed: shorter than most words, longer than the closure of a plosive."""

Windows: TypeAlias = Generator[WindowInput, WindowTranscript, None]
"""Yields windows in order and is sent the transcript of each."""


@dataclass(frozen=True, slots=True)
class SpokenAudio:
    """The features of a whole recording."""

    log_mel: FloatArray
    """`[mel_bins, frames]` float32, with the 30 s of padding at its end."""
    frames: int
    """Frames that are audio and not padding."""

    def window(self, seek: int, frames: int) -> FloatArray:
        """Return `[mel_bins, 3000]`: the frames from `seek`, then zeros."""
        cut = self.log_mel[:, seek : seek + frames]
        return np.pad(cut, ((0, 0), (0, FRAMES_PER_WINDOW - cut.shape[1])))

    def quietest_frame(self, first: int, last: int) -> int:
        """Return the middle of the quietest moment between two frames that are far enough apart to hold one."""
        loudness = self.log_mel[:, first:last].mean(axis=0)
        smoothed = np.convolve(loudness, np.ones(_MOMENT), mode="valid")
        return first + _MOMENT // 2 + int(smoothed.argmin())


def sequential(audio: SpokenAudio, model: DecodingModel, options: TranscriptionOptions) -> Windows:
    """Follow the predicted times window by window, each with the text before it as its prompt.

    The language is detected on the first window, as openai-whisper's `transcribe` does.
    """
    history = initial_prompt(model, options)
    conditioned_from, seek = 0, 0
    language, last_speech = options.language, 0.0
    while seek < audio.frames:
        frames = min(FRAMES_PER_WINDOW, audio.frames - seek)
        prompt = tuple(history[conditioned_from:])
        window = WindowInput(audio.window(seek, frames), seek, frames, language, prompt, last_speech)
        transcript = yield window
        language, seek = transcript.language, transcript.next_seek
        for segment in transcript.segments:
            history += segment.tokens
        last_speech = _last_end(transcript.segments, last_speech)
        if not transcript.silent and not conditions_next(transcript, options):
            conditioned_from = len(history)


def batched(
    audio: SpokenAudio, spans: Sequence[tuple[Seconds, Seconds]], model: DecodingModel, options: TranscriptionOptions
) -> Iterator[WindowInput]:
    """Yield windows over the given speech, each to be decoded by itself; all may be in flight at once.

    A window holds neighbouring spans and the silence between them. What is said in it is not conditioned on the text
    before, and its first segment begins where its speech does.
    """
    prompt = tuple(initial_prompt(model, options))
    for start, end in pack_spans(spans, audio.frames, audio.quietest_frame):
        log_mel = audio.window(start, end - start)
        yield WindowInput(log_mel, start, end - start, options.language, prompt, heard_once=True)


def pack_spans(
    spans: Sequence[tuple[Seconds, Seconds]], frames: int, cut_between: Callable[[int, int], int] = max
) -> list[tuple[int, int]]:
    """Join neighbouring spans into stretches of at most 30 s; a longer span is cut.

    Args:
        spans: `(start, end)` in order, without overlap.
        frames: The audio's length; nothing reaches beyond it.
        cut_between: Chooses where to cut a span that is too long, from the first to the last frame it is given.

    Returns:
        `(first, stop)` frames.
    """
    stretches: list[tuple[int, int]] = []
    for start, end in spans:
        first, stop = int(start * FRAMES_PER_SECOND), min(frames, round(end * FRAMES_PER_SECOND))
        if stretches:
            first = max(first, stretches[-1][1])
            if stop - stretches[-1][0] <= FRAMES_PER_WINDOW:
                first = stretches.pop()[0]
        while stop - first > FRAMES_PER_WINDOW:
            cut = cut_between(first + FRAMES_PER_WINDOW - _CUT_RANGE, first + FRAMES_PER_WINDOW)
            stretches.append((first, cut))
            first = cut
        if first < stop:
            stretches.append((first, stop))
    return stretches


def initial_prompt(model: DecodingModel, options: TranscriptionOptions) -> list[int]:
    """Return the tokens of the request's prompt."""
    return model.tokenizer.encode(" " + options.prompt.strip()) if options.prompt and options.prompt.strip() else []


def conditions_next(transcript: WindowTranscript, options: TranscriptionOptions) -> bool:
    """Say whether a window's text, and what came before it, may be the prompt of the next."""
    return options.condition_on_previous_text and transcript.temperature <= _FRESH_START_TEMPERATURE


def _last_end(segments: Sequence[Segment], before: Seconds) -> Seconds:
    """Return where the last word ended; the last segment where words were not asked for."""
    words = [segment.words[-1].end for segment in segments if segment.words]
    ends = words or [segment.end for segment in segments]
    return ends[-1] if ends else before
