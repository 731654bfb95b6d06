"""A scripted model that speaks: what it hears in a window is written down by the frame at which the window begins."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np

from tests.support.scripted_engine import SMALL_DIMENSIONS, Script, ScriptedEngine
from whisper_inference.arrays import FloatArray
from whisper_inference.decoding.long_form import SpokenAudio
from whisper_inference.decoding.windows import DecodingModel
from whisper_inference.models.tokenizer import Tokenizer

MULTILINGUAL = 51_865

Line = tuple[float, str, float]
"""Start within its window, text, end; seconds."""


@cache
def speaking_model(vocabulary: int = MULTILINGUAL) -> DecodingModel:
    """Whisper's own vocabulary for a model that needs no weights."""
    dimensions = replace(SMALL_DIMENSIONS, vocabulary=vocabulary)
    return DecodingModel(dimensions, Tokenizer.shipped(dimensions), ())


def sound(seconds: float) -> SpokenAudio:
    """Features that say of each frame where in the audio it is."""
    frames = round(seconds * 100)
    log_mel = np.zeros((2, frames + 3000), dtype=np.float32)
    log_mel[0, :frames] = np.arange(frames)
    return SpokenAudio(log_mel, frames)


def first_frame(log_mel: FloatArray) -> int:
    """The key of a window that `sound` made: the frame of the audio at which it begins."""
    return int(log_mel[0, 0])


def speaking_engine(lines: Mapping[int, list[Line]], *, language: str = "en", max_rows: int = 8) -> ScriptedEngine:
    """An engine that hears the lines of each window, by its first frame; a window without lines is silence."""
    model = speaking_model()
    replies = {frame: _reply(model.tokenizer, spoken) for frame, spoken in lines.items()}
    script = _speak(model.tokenizer, replies, language)
    return ScriptedEngine(dimensions=model.dimensions, max_rows=max_rows, script=script, key_of=first_frame)


def _reply(tokenizer: Tokenizer, lines: list[Line]) -> list[int]:
    reply: list[int] = []
    for start, text, end in lines:
        begin = tokenizer.timestamp_begin
        reply += [begin + round(start * 50), *tokenizer.encode(text), begin + round(end * 50)]
    return reply


def _speak(tokenizer: Tokenizer, replies: Mapping[int, list[int]], language: str) -> Script:
    vocabulary = tokenizer.timestamp_begin + 1501

    def likely(token: int) -> FloatArray:
        logits = np.full(vocabulary, -10.0, dtype=np.float32)
        logits[token] = 20.0
        return logits

    def logits(key: int, tokens: tuple[int, ...]) -> FloatArray:
        reply = replies.get(key, [])
        after = len(tokens) - tokens.index(tokenizer.start_of_transcript) - 1
        if after == 0:  # asked for the language, and whether anybody speaks
            return likely(tokenizer.language_token(language) if reply else tokenizer.no_speech)
        said = tokens[-after + 2 :] if after > 2 else ()
        if tokenizer.no_timestamps in said:
            said = said[1:]
            reply = [token for token in reply if token < tokenizer.end_of_text]
        return likely(reply[len(said)] if len(said) < len(reply) else tokenizer.end_of_text)

    return logits
