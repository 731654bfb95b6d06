"""Running the server's two applications in one process, from start to a graceful stop."""

import asyncio
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from typing_extensions import override

from whisper_inference.app import create_app, create_management_app
from whisper_inference.errors import DeviceUnavailable
from whisper_inference.model_loading import load_model
from whisper_inference.observability.logs import configure_logging
from whisper_inference.readiness import Phase
from whisper_inference.settings import ServerSettings, resolve_api_key

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.1
"""How often the model's phase is looked at while it loads."""


def serve(settings: ServerSettings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        WhisperError: The settings do not allow it, or the model cannot be served.
    """
    configure_logging(settings.log_level, settings.log_format, sys.stderr)
    key = resolve_api_key(settings)
    if key.generated:
        sys.stderr.write(f"No key was given, so one was made for this run:\n\n  {key.secret.get_secret_value()}\n\n")
    app = create_app(settings, load_model, key)
    asyncio.run(_run(app, settings))


async def _run(app: FastAPI, settings: ServerSettings) -> None:
    readiness = app.state.server.readiness
    public = _server(app, settings.host, settings.port, settings.drain_seconds)
    management = _server(
        create_management_app(app), settings.management_host, settings.management_port, settings.drain_seconds
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    servers = [asyncio.create_task(server.serve()) for server in (management, public)]
    stopped = asyncio.create_task(stop.wait())
    try:
        await _until_over(app, stopped, servers)
    finally:
        problem = readiness.problem
        readiness.drain()
        if app.state.server.loaded is not None:
            # Requests in flight end while their connections are still open; new ones are told to go elsewhere.
            await app.state.server.loaded.scheduler.drain(settings.drain_seconds)
        public.should_exit = True
        await servers[1]
        management.should_exit = True
        await servers[0]
        stopped.cancel()
    if problem is not None:
        raise DeviceUnavailable(problem)


async def _until_over(app: FastAPI, stopped: asyncio.Task[bool], servers: list[asyncio.Task[None]]) -> None:
    """Wait for a signal, a model that fails, or a server that ends by itself (its port is taken)."""
    readiness = app.state.server.readiness
    while readiness.phase is not Phase.FAILED:
        timeout = _LOOK_SECONDS if readiness.phase is Phase.LOADING else None
        done, _ = await asyncio.wait({stopped, *servers}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if done:
            return


class _Server(uvicorn.Server):
    """Leaves signals to `_run`: one signal stops two servers, in order."""

    @contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _server(app: FastAPI, host: str, port: int, drain_seconds: float) -> _Server:
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(drain_seconds)),
    )
    return _Server(config)
