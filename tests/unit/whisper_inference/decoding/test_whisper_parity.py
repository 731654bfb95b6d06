"""The rules against openai-whisper's own `transcribe`, with its own model answering both.

The engines are held to the same reference in `tests/contract`; here are the wishes that no engine can tell apart.
"""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest
import torch
import whisper

from tests.support.checkpoints import SAMPLE_RATE, Clip
from tests.support.drive import run_windows
from tests.support.openai_whisper import log_mel_spectrogram, whisper_model
from tests.support.whisper_model_engine import WhisperModelEngine
from whisper_inference.arrays import FloatArray
from whisper_inference.decoding.long_form import SpokenAudio, sequential
from whisper_inference.decoding.window import decode_window
from whisper_inference.decoding.windows import DecodingModel
from whisper_inference.models.checkpoint import Checkpoint
from whisper_inference.transcription import Segment, TranscriptionOptions

pytestmark = pytest.mark.slow

LONG_PROMPT: Final = "Tokyo and London in November. " * 60
"""More tokens than a prompt may have: the last ones count."""


@dataclass(frozen=True, slots=True)
class Mode:
    """The same wish in our words and in openai-whisper's, on the first seconds of some clips."""

    name: str
    ours: Mapping[str, Any]
    theirs: Mapping[str, Any]
    clips: tuple[str, ...] = ("seen_0.wav", "unseen_1.wav")
    seconds: int = 30


def alike(name: str, **options: Any) -> Mode:  # noqa: ANN401 - options of either
    """A wish that both spell alike."""
    return Mode(name, options, options)


WORDS: Final = {"word_timestamps": True}

MODES: Final = (
    alike("translated", task="translate"),
    alike("in another language", language="es"),
    alike("a patient beam with a length penalty", beam_size=3, patience=2.0, length_penalty=0.6),
    Mode("too long a prompt", {"prompt": LONG_PROMPT}, {"initial_prompt": LONG_PROMPT}),
    replace(
        alike("never silent", no_speech_threshold=None, logprob_threshold=None, compression_ratio_threshold=None),
        clips=("silence_4.wav",),
    ),
    Mode(
        "words without timestamps",
        WORDS | {"timestamps": False},
        WORDS | {"without_timestamps": True},
    ),
    Mode("words over windows", WORDS, WORDS, clips=("unseen_long0.flac",), seconds=38),
    Mode(
        "no timestamps over windows",
        {"timestamps": False},
        {"without_timestamps": True},
        clips=("seen_long0.wav",),
        seconds=38,
    ),
)


@dataclass(slots=True)
class Both:
    """One model, transcribed by openai-whisper and by us."""

    reference: whisper.Whisper
    model: DecodingModel
    engine: WhisperModelEngine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = WhisperModelEngine(self.reference)

    def theirs(self, mode: Mode, samples: FloatArray) -> list[dict[str, Any]]:
        """openai-whisper's segments with text."""
        options = {"language": "en", "temperature": 0.0, "fp16": False, **mode.theirs}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # openai-whisper leaves its vocabulary file open
            segments = whisper.transcribe(self.reference, samples, **options)["segments"]
        return [segment for segment in segments if segment["tokens"]]

    def ours(self, mode: Mode, samples: FloatArray) -> list[Segment]:
        """Ours, on the same features."""
        options = TranscriptionOptions(**{"language": "en", "temperatures": (0.0,), **mode.ours})
        features = log_mel_spectrogram(samples, self.model.dimensions.mel_bins)
        windows = sequential(SpokenAudio(features, features.shape[1] - 3000), self.model, options)
        transcripts = run_windows(windows, lambda window: decode_window(window, self.model, options), self.engine)
        return [segment for transcript in transcripts for segment in transcript.segments]


@pytest.fixture(scope="module")
def both(demo_checkpoint: Checkpoint) -> Both:
    return Both(whisper_model(demo_checkpoint), DecodingModel.of(demo_checkpoint))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_both_write_the_same(both: Both, clips: dict[str, Clip], mode: Mode) -> None:
    for name in mode.clips:
        samples = clips[name].samples()[: mode.seconds * SAMPLE_RATE]
        found, wanted = both.ours(mode, samples), both.theirs(mode, samples)
        assert [list(segment.tokens) for segment in found] == [segment["tokens"] for segment in wanted], name
        assert [figures(segment) for segment in found] == [pytest.approx(figures_of(each)) for each in wanted]
        words = [(word.text, word.start, word.end) for segment in found for word in segment.words]
        theirs = [(word["word"], word["start"], word["end"]) for each in wanted for word in each.get("words", ())]
        assert [text for text, *_ in words] == [text for text, *_ in theirs], name
        times = [time for _, *pair in words for time in pair]
        assert times == pytest.approx([time for _, *pair in theirs for time in pair], abs=0.0201), name


def figures(segment: Segment) -> tuple[float, ...]:
    """What a segment is judged by."""
    judged = (segment.avg_logprob, segment.compression_ratio, segment.no_speech_prob)
    return (segment.seek, segment.start, segment.end, *(round(figure, 4) for figure in judged))


def figures_of(segment: Mapping[str, Any]) -> tuple[float, ...]:
    """The same of openai-whisper's."""
    judged = (segment["avg_logprob"], segment["compression_ratio"], segment["no_speech_prob"])
    return (segment["seek"], segment["start"], segment["end"], *(round(figure, 4) for figure in judged))
