"""Audio of any length, as a sequence of windows: one after the other, or many at once.

Both ways are generators that never touch an engine: they yield windows and are sent transcripts.
"""

from collections.abc import Generator, Iterator, Sequence
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
from whisper_inference.transcription import Seconds, TranscriptionOptions

_FRESH_START_TEMPERATURE = 0.5
"""Text that needed a higher temperature is too doubtful to condition on."""

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
            last_speech = segment.words[-1].end if segment.words else segment.end
        if not transcript.silent and not _conditions(transcript, options):
            conditioned_from = len(history)


def batched(
    audio: SpokenAudio, spans: Sequence[tuple[Seconds, Seconds]], model: DecodingModel, options: TranscriptionOptions
) -> Iterator[WindowInput]:
    """Yield windows over the given speech, each to be decoded by itself; all may be in flight at once.

    A window holds neighbouring spans and the silence between them. What is said in it is not conditioned on the text
    before, and its first segment begins where its speech does.
    """
    prompt = tuple(initial_prompt(model, options))
    for start, end in pack_spans(spans, audio.frames):
        yield WindowInput(audio.window(start, end - start), start, end - start, options.language, prompt)


def pack_spans(spans: Sequence[tuple[Seconds, Seconds]], frames: int) -> list[tuple[int, int]]:
    """Join neighbouring spans into stretches of at most 30 s; a longer span is cut.

    Args:
        spans: `(start, end)` in order, without overlap.
        frames: The audio's length; nothing reaches beyond it.

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
        pieces = range(first, stop, FRAMES_PER_WINDOW)
        stretches += [(piece, min(stop, piece + FRAMES_PER_WINDOW)) for piece in pieces]
    return stretches


def initial_prompt(model: DecodingModel, options: TranscriptionOptions) -> list[int]:
    """Return the tokens of the request's prompt."""
    return model.tokenizer.encode(" " + options.prompt.strip()) if options.prompt and options.prompt.strip() else []


def _conditions(transcript: WindowTranscript, options: TranscriptionOptions) -> bool:
    return options.condition_on_previous_text and transcript.temperature <= _FRESH_START_TEMPERATURE
