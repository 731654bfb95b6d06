"""The composition root of the server: settings and a way to load a model in, two applications out."""

import asyncio
import logging
import math
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version

from fastapi import FastAPI
from opentelemetry.trace import Tracer
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from starlette.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from whisper_contract.runtime import RuntimeConfig
from whisper_contract.surface import CORRELATION_HEADER, DEVICE_HEADER
from whisper_inference import error_responses
from whisper_inference.audit.events import Action
from whisper_inference.audit.opening import open_audit
from whisper_inference.audit.recording import NOBODY, Act
from whisper_inference.composition import Services, open_services
from whisper_inference.dependencies import ServerState
from whisper_inference.errors import WhisperError
from whisper_inference.jobs.calling import Caller
from whisper_inference.jobs.opening import largest_upload, open_queue
from whisper_inference.jobs.telling import Teller
from whisper_inference.jobs.work import JobWork
from whisper_inference.jobs.worker import JobWorker
from whisper_inference.middleware import BodyLimit, LastAnswers, RequestContext
from whisper_inference.model_loading import ModelLoader
from whisper_inference.models.cache_contents import CacheContents
from whisper_inference.observability.metrics import Metrics
from whisper_inference.observability.tracing import make_tracing
from whisper_inference.quotas.meter import LIMITS
from whisper_inference.quotas.opening import make_meter
from whisper_inference.readiness import Phase, Readiness
from whisper_inference.replicas.announcing import Load
from whisper_inference.replicas.opening import Replicas, open_replicas
from whisper_inference.routes import client_secrets, documentation, openai, page, probes, realtime, stream
from whisper_inference.routes.v0 import managing as old_managing
from whisper_inference.routes.v0 import transcribing as old_transcribing
from whisper_inference.routes.v1 import audit as audit_routes
from whisper_inference.routes.v1 import auth, batches, cache, devices, models, sessions, transcriptions, usage
from whisper_inference.routes.v1 import jobs as jobs_routes
from whisper_inference.security.attempts import Attempts
from whisper_inference.security.authentication import Authenticator
from whisper_inference.security.client_secrets import ClientSecrets
from whisper_inference.security.credentials import Credentials
from whisper_inference.security.following import follow_credentials
from whisper_inference.security.passwords import Passwords
from whisper_inference.security.rate_limits import RateClass, RateLimits
from whisper_inference.security.reading import argon2_parameters, read_credentials
from whisper_inference.security.stream_tokens import StreamTokens
from whisper_inference.security.tls import ServerTls, follow_tls, read_tls
from whisper_inference.security.tokens import TokenSigner
from whisper_inference.security_headers import SecurityHeaders
from whisper_inference.sessions.login import LoginSessions
from whisper_inference.sessions.opening import open_link, open_store, open_sweeper
from whisper_inference.sessions.redis_link import RedisLink
from whisper_inference.sessions.store import SessionStore
from whisper_inference.sessions.sweeping import Sweeper
from whisper_inference.streaming.desk import Desk
from whisper_inference.streaming.memory import MemoryStreams
from whisper_inference.streaming.places import Elsewhere
from whisper_inference.streaming.redis import RedisStreams
from whisper_inference.warm_up import transcribe_warm_up_clip

logger = logging.getLogger(__name__)

_LAST_EVENTS_SECONDS = 5.0
"""How long the end waits for what takes audit events."""
_FORM_OVERHEAD_BYTES = 64 * 1024
"""What a form may weigh besides its file, and any other body."""


def create_app(settings: RuntimeConfig, load_model: ModelLoader, credentials: Credentials | None = None) -> FastAPI:
    """Make the application that clients speak to: in a function, so that those of different tests share nothing."""
    metrics = Metrics(_registry())
    link = open_link(settings, metrics.store.store_answers, metrics.store.store_refused)
    store = open_store(link)
    authenticator = _authenticator(settings, credentials or read_credentials(settings), store)
    streams = _stream_tokens(settings, authenticator, store, spare=link is None)
    limits, meter = _limits(settings, link), make_meter(settings, link, _now, metrics.limited)
    state = ServerState(
        authenticator,
        streams,
        ClientSecrets(authenticator, streams),
        limits,
        meter,
        _desk(settings, link),
        Readiness(),
        metrics,
        open_queue(settings, link),
        open_audit(settings, link, metrics, _now),
        started=int(time.time()),
        cache=None if settings.cache_dir is None else CacheContents(settings.cache_dir),
        allowed_origins=settings.cors_origins,
    )
    _publish_known(metrics, authenticator)
    replicas, tracing = _replicas(settings, link, state), make_tracing(settings.tracing_endpoint)
    tls, sweeper = _tls(settings, metrics), open_sweeper(settings, link, _now, metrics.store)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        """Load the model while probes already answer, follow what changes, and end in order."""
        stop = asyncio.Event()
        serving = asyncio.create_task(_serve_model(settings, load_model, state, stop))
        state.audit.start()
        following = asyncio.create_task(_follow(settings, state, tls, sweeper))
        try:
            async with nullcontext() if replicas is None else replicas.known(metrics.replicas.peers_known):
                yield
        finally:
            await _drain(state, settings.drain_seconds)
            following.cancel()
            stop.set()
            await serving
            await state.audit.close(_LAST_EVENTS_SECONDS)
            await store.close()
            await asyncio.to_thread(tracing.close)

    app = _application(state, lifespan)
    app.state.tls = tls
    _include_routes(app, legacy=settings.legacy)
    _surround(app, settings, metrics, tracing.tracer)
    return app


def _publish_known(metrics: Metrics, authenticator: Authenticator) -> None:
    """Let the series be there that need no request."""
    metrics.know_limits((*RateClass, *LIMITS))
    metrics.passwords_outdated(len(authenticator.outdated))
    metrics.follow_keys(lambda: authenticator.credentials.accounts.next_end(_now()))


async def _drain(state: ServerState, patience: float) -> None:
    """Take nothing new, and wait for what is there."""
    state.readiness.drain()
    if state.loaded is not None:
        state.loaded.streams.places.close()
        await state.loaded.scheduler.drain(patience)


def _include_routes(app: FastAPI, *, legacy: bool) -> None:
    app.include_router(probes.probes)
    app.include_router(openai.router)
    app.include_router(documentation.router)
    app.include_router(stream.router)
    app.include_router(realtime.router)
    app.include_router(client_secrets.router)
    app.include_router(documentation.make_pages())
    app.include_router(page.router)
    v1 = (auth, transcriptions, models, devices, sessions, usage, cache, jobs_routes, batches, audit_routes)
    for part in v1:
        app.include_router(part.router)
    for old in (old_transcribing, old_managing) if legacy else ():
        app.include_router(old.router)


def _surround(app: FastAPI, settings: RuntimeConfig, metrics: Metrics, tracer: Tracer) -> None:
    """Put around every request what all of them need; what is added last is outermost."""
    audio_paths = openai.UPLOAD_PATHS | transcriptions.UPLOAD_PATHS | {old_transcribing.TRANSCRIBE}
    job_paths = jobs_routes.UPLOAD_PATHS | batches.UPLOAD_PATHS
    in_base64 = math.ceil(settings.max_upload_bytes / 3) * 4
    app.add_middleware(
        BodyLimit,
        max_bytes=_FORM_OVERHEAD_BYTES,
        max_bytes_at=dict.fromkeys(audio_paths, settings.max_upload_bytes + _FORM_OVERHEAD_BYTES)
        | {old_transcribing.PROCESS_CHUNK: in_base64 + _FORM_OVERHEAD_BYTES}
        | dict.fromkeys(job_paths, largest_upload(settings) + _FORM_OVERHEAD_BYTES),
    )
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", CORRELATION_HEADER],
            expose_headers=[CORRELATION_HEADER, DEVICE_HEADER, "Retry-After"],
        )
    app.add_middleware(LastAnswers, ending=lambda: app.state.server.readiness.ending)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestContext, metrics=metrics, tracer=tracer)
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))


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
        elsewhere = partial(_stream_room_elsewhere, state)
        async with open_services(settings, load_model, state.metrics, elsewhere) as services:
            await transcribe_warm_up_clip(services.transcriber)
            state.loaded = services
            state.readiness.loaded()
            logger.info("Serving %s on %s", services.model_name, services.scheduler.capabilities)
            await _work_until(stop, settings, services, state)
    except WhisperError as problem:
        state.readiness.fail(str(problem))
    except Exception:
        logger.exception("The model could not be served")
        state.readiness.fail("The model could not be served; the log says why.")


async def _work_until(stop: asyncio.Event, settings: RuntimeConfig, services: Services, state: ServerState) -> None:
    worker = JobWorker(
        state.jobs,
        JobWork(state.jobs, services.transcriber, state.meter),
        services.model.tokenizer.language_name,
        state.metrics.jobs,
        at_once=settings.job_workers,
        draining=lambda: state.readiness.phase is Phase.DRAINING,
    )
    caller = Caller(state.jobs.policy.destinations)
    teller = Teller(state.jobs, caller, jobs_routes.links_of, state.metrics.jobs)
    working = {asyncio.create_task(each.run()) for each in (worker, teller)}
    await stop.wait()
    for each in working:
        each.cancel()
    await asyncio.wait(working)
    await caller.close()


def _authenticator(settings: RuntimeConfig, credentials: Credentials, store: SessionStore) -> Authenticator:
    sessions = LoginSessions(
        store,
        _now,
        idle=timedelta(seconds=settings.session_idle_seconds),
        absolute=timedelta(seconds=settings.session_absolute_seconds),
    )
    return Authenticator(credentials, sessions, Attempts(store), Passwords(argon2_parameters(settings)), _now)


def _tls(settings: RuntimeConfig, metrics: Metrics) -> ServerTls | None:
    first = read_tls(settings)
    return None if first is None else ServerTls(first, _now, metrics.certificate_read)


async def _follow(settings: RuntimeConfig, state: ServerState, tls: ServerTls | None, sweeper: Sweeper | None) -> None:
    """Take over what changes on disk, and look after the store, until cancelled."""

    def use(credentials: Credentials) -> None:
        state.authenticator.use(credentials)
        state.metrics.passwords_outdated(len(state.authenticator.outdated))
        state.audit.record(Act(Action.CREDENTIALS_READ), NOBODY)

    following = [follow_credentials(settings, use)]
    if tls is not None:
        following.append(follow_tls(settings, tls.use))
    if sweeper is not None:
        following.append(sweeper.run())
    await asyncio.gather(*following)


def _stream_tokens(
    settings: RuntimeConfig, authenticator: Authenticator, store: SessionStore, *, spare: bool
) -> StreamTokens:
    signer = TokenSigner(secrets.token_urlsafe(32)) if spare else None
    lifetime = timedelta(seconds=settings.stream_token_seconds)
    return StreamTokens(authenticator, store, signer, lifetime=lifetime, clock=_now)


def _desk(settings: RuntimeConfig, link: RedisLink | None) -> Desk:
    kept = MemoryStreams(time.monotonic) if link is None else RedisStreams(link)
    return Desk(kept, secrets.token_bytes, timedelta(seconds=settings.stream_resume_seconds))


def _limits(settings: RuntimeConfig, link: RedisLink | None) -> RateLimits:
    rates = {
        RateClass.TRANSCRIPTIONS: settings.rate_transcriptions,
        RateClass.READS: settings.rate_reads,
        RateClass.LOGINS: settings.rate_logins,
        RateClass.REFUSALS: settings.rate_refusals,
    }
    return RateLimits(rates, link)


def _replicas(settings: RuntimeConfig, link: RedisLink | None, state: ServerState) -> Replicas | None:
    def credentials() -> Credentials:
        return state.authenticator.credentials

    replicas = open_replicas(settings, link, credentials, lambda: _load(settings, state), state.metrics.replicas)
    state.handover = None if replicas is None else replicas.handover
    return replicas


def _load(settings: RuntimeConfig, state: ServerState) -> Load | None:
    """Return how much a server that takes requests has to do."""
    if state.loaded is None or not state.readiness.ready:
        return None
    scheduler = state.loaded.scheduler
    pending, factor = scheduler.backlog_seconds, scheduler.real_time_factor
    free = state.loaded.streams.places.standing().free
    return Load(state.loaded.model_name, pending, settings.max_backlog_seconds, factor, free)


def _stream_room_elsewhere(state: ServerState) -> Elsewhere | None:
    found = None if state.handover is None else state.handover.roomiest()
    return None if found is None else Elsewhere(found.url, found.free_streams)


def _now() -> datetime:
    return datetime.now(UTC)


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return registry
