"""What a loaded model needs around it to transcribe, put together once: for the server and for the command line."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from whisper_contract.runtime import RuntimeConfig
from whisper_inference.audio.decoding import AudioLimits, decode_audio
from whisper_inference.audio.features import log_mel_spectrogram
from whisper_inference.audio.voice_activity import VoiceActivity
from whisper_inference.decoding.windows import DecodingModel
from whisper_inference.engines.factory import Attempt
from whisper_inference.guard import withhold_invented
from whisper_inference.model_loading import LoadedModel, ModelLoader
from whisper_inference.observability.metrics import Metrics
from whisper_inference.scheduler import Scheduler, SchedulerSettings
from whisper_inference.transcriber import Transcriber
from whisper_inference.transcriber.audio_front_end import AudioSteps, ThreadedFrontEnd


@dataclass(frozen=True, slots=True)
class Services:
    """A model that transcribes."""

    model_name: str
    model: DecodingModel
    attempts: tuple[Attempt, ...]
    """The engines that were tried on their devices, the last of which works."""
    scheduler: Scheduler
    transcriber: Transcriber


@asynccontextmanager
async def open_services(settings: RuntimeConfig, load_model: ModelLoader, metrics: Metrics) -> AsyncIterator[Services]:
    """Load the model, off the event loop, and run it until the context is left."""
    loaded = await asyncio.to_thread(load_model, settings)
    engine = loaded.engine.engine
    name = settings.model_name or loaded.checkpoint.name
    metrics.model_loaded(name, engine.capabilities)
    scheduler = Scheduler(engine, metrics, SchedulerSettings(max_backlog=settings.max_backlog_seconds))
    front_end = ThreadedFrontEnd(_audio_steps(settings, loaded))
    model = DecodingModel.of(loaded.checkpoint)
    transcriber = Transcriber(scheduler, model, front_end, withhold_invented, metrics, clock=time.monotonic)
    scheduler.start()
    try:
        yield Services(name, model, loaded.engine.attempts, scheduler, transcriber)
    finally:
        front_end.close()
        await asyncio.to_thread(scheduler.close)
        engine.close()


def _audio_steps(settings: RuntimeConfig, loaded: LoadedModel) -> AudioSteps:
    limits = AudioLimits(
        max_upload_bytes=settings.max_upload_bytes,
        max_duration=settings.max_audio_seconds,
        max_decoding=settings.max_decoding_seconds,
    )
    voice_activity = VoiceActivity()
    mel_bins = loaded.checkpoint.dimensions.mel_bins
    return AudioSteps(
        decode=lambda source: decode_audio(source, limits),
        find_speech=lambda samples: [(span.start, span.end) for span in voice_activity.spans(samples)],
        features=lambda samples: log_mel_spectrogram(samples, mel_bins),
        mel_bins=mel_bins,
    )
