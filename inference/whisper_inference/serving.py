"""Running the server's two applications in one process, from start to a graceful stop."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import uvicorn
from fastapi import FastAPI
from typing_extensions import override

from whisper_inference.app import create_app, create_management_app
from whisper_inference.connections import ClientConnection, ClientWebSocket, ConnectionLimits, allow_open_files
from whisper_inference.errors import DeviceUnavailable
from whisper_inference.model_loading import load_model
from whisper_inference.observability.logs import configure_logging
from whisper_inference.readiness import Phase
from whisper_inference.security.reading import read_credentials
from whisper_inference.security.tls import ServerTls
from whisper_inference.settings import ServerSettings

_USUAL_LIMITS: Final = ConnectionLimits(most=2000)

logger = logging.getLogger(__name__)

_CLUSTER_VARIABLE: Final = "KUBERNETES_SERVICE_HOST"
"""The kubelet gives it to every container: what is printed there is kept by collectors of logs."""
_LOOK_SECONDS = 0.1
"""How often the model's phase is looked at while it loads."""


def serve(settings: ServerSettings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        WhisperError: The settings do not allow it, or the model cannot be served.
    """
    configure_logging(settings.log_level, settings.log_format, sys.stderr, sys.stdout)
    credentials = read_credentials(settings, make=_CLUSTER_VARIABLE not in os.environ)
    if credentials.made is not None:
        key, password = credentials.made.key, credentials.made.password
        sys.stderr.write("Nothing was given that opens this server, so it was made for this run:\n\n")
        sys.stderr.write(f"  API key                     {key}\n  Password of the user admin  {password}\n\n")
    app = create_app(settings, load_model, credentials)
    allow_open_files(settings.max_connections)
    asyncio.run(_run(app, settings))


async def _run(app: FastAPI, settings: ServerSettings) -> None:
    readiness = app.state.server.readiness
    limits = ConnectionLimits(settings.max_connections)
    public = _Server(server_config(app, settings.host, settings.port, settings.drain_seconds, app.state.tls, limits))
    management = _Server(
        server_config(
            create_management_app(app), settings.management_host, settings.management_port, settings.drain_seconds
        )
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
        if stop.is_set() and readiness.ready:
            readiness.leave()
            await asyncio.sleep(settings.leaving_seconds)
        readiness.drain()
        public.end_idle_connections()
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

    def end_idle_connections(self) -> None:
        """Let clients that keep a connection find it closed, and open another: their next request would be refused."""
        for connection in list(self.server_state.connections):
            if isinstance(connection, ClientConnection):
                connection.end_if_idle()

    @contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def server_config(
    app: FastAPI,
    host: str,
    port: int,
    drain_seconds: float,
    tls: ServerTls | None = None,
    limits: ConnectionLimits = _USUAL_LIMITS,
) -> uvicorn.Config:
    """Return how uvicorn serves an application: it says nothing of itself, and believes no header."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=partial(ClientConnection, limits),  # type: ignore[arg-type] # it is only called
        log_config=None,
        access_log=False,
        server_header=False,
        ws=ClientWebSocket,
        ws_ping_interval=limits.heartbeat_seconds,
        ws_ping_timeout=limits.heartbeat_seconds,
        ws_per_message_deflate=False,  # sound does not shrink, texts are short, and each connection would pay for it
        proxy_headers=False,  # the application believes those that the settings name, and no others
        ssl_context_factory=None if tls is None else lambda _config, _default: tls.context,
        timeout_keep_alive=limits.kept_seconds,
        timeout_graceful_shutdown=max(1, round(drain_seconds)),
    )
