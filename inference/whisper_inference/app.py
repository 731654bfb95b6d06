"""The composition root of the server: settings and a way to load a model in, two applications out."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import Depends, FastAPI
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from whisper_contract.runtime import RuntimeConfig
from whisper_inference import error_responses
from whisper_inference.composition import open_services
from whisper_inference.dependencies import ServerState, require_key
from whisper_inference.errors import WhisperError
from whisper_inference.middleware import RequestContext, UploadLimit
from whisper_inference.model_loading import ModelLoader
from whisper_inference.observability.metrics import Metrics
from whisper_inference.observability.tracing import make_tracing
from whisper_inference.readiness import Readiness
from whisper_inference.routes import openai, probes
from whisper_inference.security.key_file import follow_key_file
from whisper_inference.settings import ApiKey, resolve_api_key
from whisper_inference.warm_up import transcribe_warm_up_clip

logger = logging.getLogger(__name__)

_FORM_OVERHEAD_BYTES = 64 * 1024
"""What a form may weigh besides its file."""


def create_app(settings: RuntimeConfig, load_model: ModelLoader, key: ApiKey | None = None) -> FastAPI:
    """Make the application that clients speak to. Its lifespan loads the model while probes already answer.

    In a function, so that nothing is shared between the applications of different tests.
    """
    key = key or resolve_api_key(settings)
    state = ServerState(key.secret, Readiness(), Metrics(_registry()), started=int(time.time()))
    tracing = make_tracing(settings.tracing_endpoint)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        stop = asyncio.Event()
        serving = asyncio.create_task(_serve_model(settings, load_model, state, stop))
        following = asyncio.create_task(follow_key_file(settings, state.use_key))
        try:
            yield
        finally:
            state.readiness.drain()
            if state.loaded is not None:
                await state.loaded.scheduler.drain(settings.drain_seconds)
            following.cancel()
            stop.set()
            await serving
            await asyncio.to_thread(tracing.close)

    app = _application(state, lifespan)
    app.include_router(probes.probes)
    app.include_router(openai.router, dependencies=[Depends(require_key)])
    app.add_middleware(UploadLimit, max_bytes=settings.max_upload_bytes + _FORM_OVERHEAD_BYTES)
    app.add_middleware(RequestContext, metrics=state.metrics, tracer=tracing.tracer)
    return app


def create_management_app(app: FastAPI) -> FastAPI:
    """Make the application for probes and Prometheus, on a port that is never published and asks for no key."""
    management = _application(app.state.server, None)
    management.include_router(probes.probes)
    management.include_router(probes.management)
    return management


def _application(state: ServerState, lifespan: object) -> FastAPI:
    app = FastAPI(
        title="Whisper Inference",
        version=version("whisper-operator"),
        lifespan=lifespan,  # type: ignore[arg-type] # FastAPI's own type names its private generic
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.server = state
    error_responses.install(app)
    return app


async def _serve_model(
    settings: RuntimeConfig, load_model: ModelLoader, state: ServerState, stop: asyncio.Event
) -> None:
    """Load, warm up, and keep the model until the server stops; a model that cannot be served fails the readiness."""
    try:
        async with open_services(settings, load_model, state.metrics) as services:
            await transcribe_warm_up_clip(services.transcriber)
            state.loaded = services
            state.readiness.loaded()
            logger.info("Serving %s on %s", services.model_name, services.scheduler.capabilities)
            await stop.wait()
    except WhisperError as problem:
        state.readiness.fail(str(problem))
    except Exception:
        logger.exception("The model could not be served")
        state.readiness.fail("The model could not be served; the log says why.")


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return registry
