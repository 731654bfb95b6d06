"""A server on loopback, in a thread of the test's process: real sockets, real HTTP, its own event loop."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from tests.support import planted
from whisper_inference.app import create_app, create_management_app
from whisper_inference.connections import ConnectionLimits
from whisper_inference.model_loading import ModelLoader, load_model
from whisper_inference.security.tls import ServerTls
from whisper_inference.serving import server_config
from whisper_inference.settings import ServerSettings

KEY = planted.KEY
_START_SECONDS = 60
_USUAL_LIMITS = ConnectionLimits(most=2000)


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Where it listens."""

    url: str
    management_url: str
    app: FastAPI

    @property
    def headers(self) -> dict[str, str]:
        """What an authenticated client sends."""
        return {"Authorization": f"Bearer {KEY}"}


@contextmanager
def running_server(
    settings: ServerSettings,
    load: ModelLoader = load_model,
    port: int = 0,
    limits: ConnectionLimits = _USUAL_LIMITS,
) -> Iterator[RunningServer]:
    """Serve until the context is left, once the model is ready."""
    app = create_app(settings, load)
    servers = [_server(app, app.state.tls, port, limits), _server(create_management_app(app))]
    thread = threading.Thread(target=lambda: asyncio.run(_serve(servers)), name="server")
    thread.start()
    try:
        _wait(lambda: all(server.started for server in servers) and app.state.server.readiness.ready)
        scheme = "http" if app.state.tls is None else "https"
        urls = [f"{name}://127.0.0.1:{_port(server)}" for name, server in zip((scheme, "http"), servers, strict=True)]
        yield RunningServer(urls[0], urls[1], app)
    finally:
        for server in servers:
            server.should_exit = True
        thread.join(_START_SECONDS)


async def _serve(servers: list[uvicorn.Server]) -> None:
    await asyncio.gather(*(server.serve() for server in servers))


def _server(
    app: FastAPI, tls: ServerTls | None = None, port: int = 0, limits: ConnectionLimits = _USUAL_LIMITS
) -> uvicorn.Server:
    return uvicorn.Server(server_config(app, "127.0.0.1", port, drain_seconds=5, tls=tls, limits=limits))


def _port(server: uvicorn.Server) -> int:
    return int(server.servers[0].sockets[0].getsockname()[1])


def _wait(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError("the server did not become ready")
        time.sleep(0.02)
