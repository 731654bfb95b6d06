"""Whole transcripts of recordings: ours with an engine, and openai-whisper's own, asked for the same."""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import jiwer
import whisper
import whisper.tokenizer

from tests.support.checkpoints import Clip
from tests.support.drive import run_windows
from tests.support.openai_whisper import log_mel_spectrogram, whisper_model
from whisper_inference.decoding.long_form import SpokenAudio, sequential
from whisper_inference.decoding.window import decode_window
from whisper_inference.decoding.windows import DecodingModel
from whisper_inference.engines.base import Engine
from whisper_inference.models.checkpoint import Checkpoint
from whisper_inference.transcription import Segment, TranscriptionOptions


@dataclass(frozen=True, slots=True)
class Mode:
    """The same wish in our words and in openai-whisper's."""

    name: str
    clips: tuple[Clip, ...]
    ours: Mapping[str, Any] = field(default_factory=dict)
    theirs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def options(self) -> TranscriptionOptions:
        """Ours; English unless asked otherwise."""
        return TranscriptionOptions(**{"language": "en", "temperatures": (0.0,), **self.ours})


Reference: TypeAlias = Callable[[Mode, Clip], list[dict[str, Any]]]
Ours: TypeAlias = Callable[[Mode, Clip], list[Segment]]


def openai_transcriber(checkpoint: Checkpoint) -> Reference:
    """Transcribe with openai-whisper: its segments with text, each asked for once."""
    with warnings.catch_warnings():
        # It leaves its vocabulary's file to the garbage collector, and keeps what it read.
        warnings.simplefilter("ignore", ResourceWarning)
        whisper.tokenizer.get_tokenizer(multilingual=True, num_languages=checkpoint.dimensions.language_count)
    model = whisper_model(checkpoint)
    known: dict[tuple[str, Clip], list[dict[str, Any]]] = {}

    def transcribe(mode: Mode, clip: Clip) -> list[dict[str, Any]]:
        if (mode.name, clip) not in known:
            options = {"language": "en", "temperature": 0.0, **mode.theirs}
            segments = whisper.transcribe(model, clip.samples(), fp16=False, **options)["segments"]
            known[mode.name, clip] = [segment for segment in segments if segment["tokens"]]
        return known[mode.name, clip]

    return transcribe


def transcriber(engine: Engine, checkpoint: Checkpoint) -> Ours:
    """Transcribe with an engine, window after window, on openai-whisper's own features."""
    model = DecodingModel.of(checkpoint)

    def transcribe(mode: Mode, clip: Clip) -> list[Segment]:
        features = log_mel_spectrogram(clip.samples(), model.dimensions.mel_bins)
        audio = SpokenAudio(features, features.shape[1] - 3000)
        windows = sequential(audio, model, mode.options)
        transcripts = run_windows(windows, lambda window: decode_window(window, model, mode.options), engine)
        return [segment for transcript in transcripts for segment in transcript.segments]

    return transcribe


def word_error_rate(clips: Sequence[Clip], texts: Sequence[str]) -> float:
    """Return the share of words that are wrong."""
    rate: float = jiwer.wer([_plain(clip.text) for clip in clips], [_plain(text) for text in texts])
    return rate


def _plain(text: str) -> str:
    """Leave words alone: lower case, no punctuation."""
    return " ".join(re.findall(r"[\w']+", text.lower()))
