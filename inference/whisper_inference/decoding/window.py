"""One window from sound to segments: language, text, times, words."""

import numpy as np

from whisper_inference.decoding.attempts import attempt_until_good
from whisper_inference.decoding.requests import Decoding, Start
from whisper_inference.decoding.segments import cut_into_segments, without_empty
from whisper_inference.decoding.windows import FRAMES_PER_SECOND, DecodingModel, WindowInput, WindowTranscript
from whisper_inference.decoding.words import add_words
from whisper_inference.transcription import Segment, TranscriptionOptions

_ENGLISH = "en"


def decode_window(
    window: WindowInput, model: DecodingModel, options: TranscriptionOptions
) -> Decoding[WindowTranscript]:
    """Transcribe one window of up to 30 s."""
    language = window.language or (yield from detect_language(model))
    start_sequence = model.tokenizer.start_sequence(language, options.task, timestamps=options.timestamps)
    attempt = yield from attempt_until_good(model, start_sequence, window.prompt_tokens, options)
    if attempt.is_silence(options):
        return WindowTranscript((), language, window.seek + window.frames, attempt.temperature, silent=True)
    cut = cut_into_segments(attempt, window, model, options)
    segments, next_seek = cut.segments, cut.next_seek
    if options.word_timestamps:
        segments = yield from add_words(segments, window, model, language, options.task)
        if not cut.complete:
            next_seek = _behind_last_word(segments, window, next_seek)
    return WindowTranscript(without_empty(segments), language, next_seek, attempt.temperature)


def detect_language(model: DecodingModel) -> Decoding[str]:
    """Ask which language token the model would begin with; English for a model that knows no other."""
    tokenizer = model.tokenizer
    if not tokenizer.multilingual:
        return _ENGLISH
    logits = yield Start((tokenizer.start_of_transcript,), logits_at=(0,))
    tokens = [tokenizer.language_token(code) for code in tokenizer.languages]
    return tokenizer.languages[int(np.argmax(logits[0, tokens]))]


def _behind_last_word(segments: tuple[Segment, ...], window: WindowInput, next_seek: int) -> int:
    """Words are placed better than timestamps: go on where the last one ended."""
    last = next((segment.words[-1].end for segment in reversed(segments) if segment.words), segments[-1].end)
    seek = round(last * FRAMES_PER_SECOND)
    return seek if seek > window.seek else next_seek
