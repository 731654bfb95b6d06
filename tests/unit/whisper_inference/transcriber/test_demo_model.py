"""The demo model on OpenVINO behind the transcriber: company in the batch changes no text."""

import asyncio
import io
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import whisper

from tests.support.observer import RecordingObserver
from whisper_inference.decoding.long_form import SpokenAudio
from whisper_inference.decoding.windows import DecodingModel
from whisper_inference.engines.base import Engine
from whisper_inference.engines.openvino import OpenVinoEngine, OpenVinoSettings
from whisper_inference.models.checkpoint import Checkpoint
from whisper_inference.models.loading import load_checkpoint
from whisper_inference.scheduler import Scheduler
from whisper_inference.transcriber import PreparedAudio, Source, Span, Transcriber
from whisper_inference.transcriber.option_checks import rows_needed
from whisper_inference.transcription import Dropped, DropReason, Segment, Transcript, TranscriptionOptions

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[4] / "examples"
CLIPS = ("seen_0", "seen_2", "seen_4", "seen_7", "seen_9", "seen_10", "unseen_0", "seen_long0")


class Audience(RecordingObserver):
    """Listens to the transcriber as well, and keeps nothing of it."""

    def transcribed(self, audio_seconds: float, processing_seconds: float) -> None:
        """Let it pass."""

    def guard_dropped(self, reason: DropReason) -> None:
        """Let it pass."""


class WaveFrontEnd:
    """Reads 16 kHz mono WAV and makes openai-whisper's own features."""

    def __init__(self, mel_bins: int) -> None:
        self._mel_bins = mel_bins

    async def prepare(self, source: Source, *, find_speech: bool) -> PreparedAudio:
        """Decode on the spot; somebody speaks all the time."""
        if not isinstance(source, bytes):
            raise TypeError("bytes only")
        with wave.open(io.BytesIO(source)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16).astype(np.float32) / 32768
        log_mel = whisper.log_mel_spectrogram(samples, self._mel_bins, padding=480_000).numpy()
        speech: tuple[Span, ...] | None = ((0.0, len(samples) / 16_000),) if find_speech else None
        return PreparedAudio(len(samples) / 16_000, SpokenAudio(log_mel, len(samples) // 160), speech)


def keep_all(
    segments: Sequence[Segment],
    speech: Sequence[Span],
    options: TranscriptionOptions,
    before: Sequence[Segment] = (),
) -> tuple[tuple[Segment, ...], tuple[Dropped, ...]]:
    """A guard that trusts the model."""
    del speech, options, before
    return tuple(segments), ()


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return load_checkpoint(EXAMPLES / "models" / "demo")


@pytest.fixture(scope="module")
def engine(checkpoint: Checkpoint) -> Iterator[Engine]:
    loaded = OpenVinoEngine(checkpoint, OpenVinoSettings(device="cpu", precision="f32", max_rows=8))
    yield loaded
    loaded.close()


@pytest.mark.parametrize(
    "options",
    [
        TranscriptionOptions(),
        TranscriptionOptions(timestamps=False, temperatures=(0.0,)),
        TranscriptionOptions(beam_size=3, word_timestamps=True),
        TranscriptionOptions(temperatures=(0.6,), best_of=2, seed=7),
    ],
    ids=["default", "plain", "beam with words", "sampled"],
)
def test_eight_clips_at_once_say_the_same_as_one_by_one(
    checkpoint: Checkpoint, engine: Engine, options: TranscriptionOptions
) -> None:
    clips = [(EXAMPLES / "audio" / f"{name}.wav").read_bytes() for name in CLIPS]
    observer = Audience()

    async def both() -> tuple[list[Transcript], list[Transcript]]:
        scheduler = Scheduler(engine, observer)
        scheduler.start()
        front_end = WaveFrontEnd(checkpoint.dimensions.mel_bins)
        transcriber = Transcriber(scheduler, DecodingModel.of(checkpoint), front_end, keep_all, observer)
        alone = [await transcriber.transcribe(clip, options) for clip in clips]
        together = await asyncio.gather(*(transcriber.transcribe(clip, options) for clip in clips))
        assert await scheduler.drain(10.0)
        scheduler.close()
        return alone, together

    alone, together = asyncio.run(both())
    assert [transcript.text for transcript in together] == [transcript.text for transcript in alone]
    assert all(transcript.text for transcript in alone)
    assert max(observer.steps) > rows_needed(options)
