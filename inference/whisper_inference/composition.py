"""What a loaded model needs around it to transcribe, put together once: for the server and for the command line."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from whisper_contract.runtime import RuntimeConfig
from whisper_inference.audio.decoding import AudioLimits, decode_audio
from whisper_inference.audio.features import log_mel_spectrogram
from whisper_inference.audio.silero import load_silero
from whisper_inference.audio.voice_activity import VoiceActivity
from whisper_inference.decoding.windows import DecodingModel
from whisper_inference.engines.factory import Attempt
from whisper_inference.guard import withhold_invented
from whisper_inference.model_loading import LoadedModel, ModelLoader
from whisper_inference.observability.metrics import Metrics
from whisper_inference.scheduler import Scheduler, SchedulerSettings
from whisper_inference.streaming.connection import StreamLimits
from whisper_inference.streaming.places import Bounds, Elsewhere, Places
from whisper_inference.streaming.recognizer import Recognizer
from whisper_inference.streaming.service import Streams
from whisper_inference.transcriber import Transcriber
from whisper_inference.transcriber.audio_front_end import AudioSteps, ThreadedFrontEnd

_STREAM_THREADS: Final = 2
"""For the sound of all streams: a second of it takes a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Services:
    """A model that transcribes."""

    model_name: str
    model: DecodingModel
    attempts: tuple[Attempt, ...]
    """The engines that were tried on their devices, the last of which works."""
    scheduler: Scheduler
    transcriber: Transcriber
    streams: Streams


@asynccontextmanager
async def open_services(
    settings: RuntimeConfig,
    load_model: ModelLoader,
    metrics: Metrics,
    elsewhere: Callable[[], Elsewhere | None] = lambda: None,
) -> AsyncIterator[Services]:
    """Load the model, off the event loop, and run it until the context is left.

    Args:
        settings: The server's.
        load_model: Loads it.
        metrics: Where it is measured.
        elsewhere: Names another replica with room for streams, if one has.
    """
    loaded = await asyncio.to_thread(load_model, settings)
    engine = loaded.engine.engine
    name = settings.model_name or loaded.checkpoint.name
    metrics.model_loaded(name, engine.capabilities)
    scheduler = Scheduler(engine, metrics, SchedulerSettings(max_backlog=settings.max_backlog_seconds))
    front_end = ThreadedFrontEnd(_audio_steps(settings, loaded))
    model = DecodingModel.of(loaded.checkpoint)
    transcriber = Transcriber(scheduler, model, front_end, withhold_invented, metrics, clock=time.monotonic)
    threads = ThreadPoolExecutor(_STREAM_THREADS, thread_name_prefix="whisper-stream")
    bounds = Bounds(settings.max_streams, settings.stream_partial_seconds, settings.stream_measured)
    places = Places(bounds, scheduler, metrics.streams, time.monotonic, elsewhere)
    metrics.streams.follow(places.standing)
    streams = _streams(stream_limits(settings), loaded, scheduler, model, threads, places)
    scheduler.start()
    # numpy's products are small here, and there are many: split over all cores each costs ten times its arithmetic.
    one_thread = threadpool_limits(1, user_api="blas")
    try:
        yield Services(name, model, loaded.engine.attempts, scheduler, transcriber, streams)
    finally:
        one_thread.restore_original_limits()
        front_end.close()
        threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(scheduler.close)
        engine.close()
        loaded.in_use.close()


def stream_limits(settings: RuntimeConfig) -> StreamLimits:
    """Return what bounds a stream."""
    return StreamLimits(
        idle=settings.stream_idle_seconds,
        longest=settings.stream_longest_seconds,
        partial_interval=settings.stream_partial_seconds,
        endpoint_silence=settings.stream_endpoint_seconds,
    )


def _streams(
    limits: StreamLimits,
    loaded: LoadedModel,
    scheduler: Scheduler,
    model: DecodingModel,
    threads: Executor,
    places: Places,
) -> Streams:
    mel_bins = loaded.checkpoint.dimensions.mel_bins
    features = partial(log_mel_spectrogram, mel_bins=mel_bins)
    return Streams(
        Recognizer(scheduler, model, features, threads, time.monotonic, places.answered),
        scheduler,
        model,
        withhold_invented,
        voices=load_silero(),
        threads=threads,
        limits=limits,
        places=places,
    )


def _audio_steps(settings: RuntimeConfig, loaded: LoadedModel) -> AudioSteps:
    limits = AudioLimits(
        max_upload_bytes=settings.max_upload_bytes,
        max_duration=settings.max_audio_seconds,
        max_decoding=settings.max_decoding_seconds,
    )
    voice_activity = VoiceActivity()
    mel_bins = loaded.checkpoint.dimensions.mel_bins
    return AudioSteps(
        decode=lambda source: source if isinstance(source, np.ndarray) else decode_audio(source, limits),
        find_speech=lambda samples: [(span.start, span.end) for span in voice_activity.spans(samples)],
        features=lambda samples: log_mel_spectrogram(samples, mel_bins),
        mel_bins=mel_bins,
    )
