"""What surrounds a route costs: `python -m tests.benchmarks.overhead`.

One process, no sockets: `GET /v1/models` through the whole server (correlation id, span, metrics, headers, the body's
limit, a credential, rate limits) and through a bare FastAPI application that answers the same, in turns. The server is
asked with a named key, and with a login's token; what it counts and keeps is in memory first, then in a Redis.
"""

import argparse
import asyncio
import json
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import SecretStr
from starlette.types import Message, Scope

from tests.support.keys import make_account_key
from tests.support.redis_server import redis_server
from whisper_contract.surface import MODELS_PATH
from whisper_inference.app import create_app
from whisper_inference.model_loading import load_model
from whisper_inference.security.reading import ADMIN
from whisper_inference.security.roles import Role
from whisper_inference.settings import ServerSettings

_DEMO: Final = Path("examples/models/demo")
_PASSWORD: Final = secrets.token_urlsafe(16)
_ROUND: Final = 50
"""Requests in a row: then the other one's turn."""


@dataclass(slots=True)
class Caller:
    """Asks an application for the list of models, as a client with a key does."""

    app: FastAPI
    key: str
    times: list[float] = field(default_factory=list)
    """Seconds of each request."""
    busy: float = 0.0
    """Seconds of this process' processor time, for all of them."""
    body: bytes = b""
    """Of the last answer."""

    async def ask(self) -> None:
        """Send one request."""
        answer: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            answer.append(message)

        scope = self._scope()
        began = time.perf_counter()
        await self.app(scope, receive, send)
        self.times.append(time.perf_counter() - began)
        if answer[0]["status"] != 200:
            raise RuntimeError(f"answered {answer[0]['status']}")
        self.body = b"".join(message.get("body", b"") for message in answer)

    def _scope(self) -> Scope:
        headers = {"host": "speech", "authorization": f"Bearer {self.key}", "accept": "*/*", "user-agent": "bench"}
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": MODELS_PATH,
            "raw_path": MODELS_PATH.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("10.0.0.1", 50000),
            "server": ("10.0.0.2", 8000),
            "state": {},
        }


async def measure(requests: int, redis: str | None) -> dict[str, Caller]:
    """Ask all in turns, so often each; return them with their times."""
    key, entry = make_account_key("bench", Role.VIEWER)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as accounts:
        accounts.write(f"keys:\n{entry}")
        accounts.flush()
        async with _served(Path(accounts.name), redis) as app:
            token, _ = await app.state.server.authenticator.log_in(ADMIN, _PASSWORD, "10.0.0.1")
            callers = {"key": Caller(app, key), "session": Caller(app, token)}
            await callers["key"].ask()
            callers["bare"] = Caller(_bare(callers["key"].body), key)
            for number in range(-_ROUND, requests, _ROUND):
                for caller in callers.values():
                    busy = time.process_time()
                    for _ in range(_ROUND):
                        await caller.ask()
                    caller.busy += time.process_time() - busy
                    if number < 0:  # what is done once is done
                        caller.times.clear()
                        caller.busy = 0.0
    return callers


@asynccontextmanager
async def _served(accounts: Path, redis: str | None) -> AsyncIterator[FastAPI]:
    settings = ServerSettings(
        model=str(_DEMO),
        device="cpu",
        threads=1,
        accounts_file=accounts,
        secret_key=SecretStr(secrets.token_hex(32)),
        admin_password=SecretStr(_PASSWORD),
        redis_url=None if redis is None else SecretStr(redis),
        rate_reads="100000000/day",
    )
    app = create_app(settings, load_model)
    async with app.router.lifespan_context(app):
        while not app.state.server.readiness.ready:  # noqa: ASYNC110 - a thread loads it
            await asyncio.sleep(0.05)
        yield app


def _bare(body: bytes) -> FastAPI:
    app = FastAPI(openapi_url=None)

    answer = json.loads(body)

    @app.get(MODELS_PATH)
    async def list_models() -> JSONResponse:
        return JSONResponse(answer)

    return app


def main(arguments: list[str]) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5000)
    requests = parser.parse_args(arguments).requests
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as server:
        for kind, address in {"memory": None, "Redis": server.address}.items():
            _print(kind, asyncio.run(measure(requests, address)))
    sys.stdout.write(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")


def _print(kind: str, callers: dict[str, Caller]) -> None:
    bare = statistics.median(callers["bare"].times)
    for name, caller in callers.items():
        median, hundredths = statistics.median(caller.times), statistics.quantiles(caller.times, n=100)
        sys.stdout.write(
            f"{kind:6} {name:7}  median {1e3 * median:.3f} ms ({1e3 * (median - bare):+.3f}), "
            f"fastest tenth {1e3 * hundredths[9]:.3f} ms, p95 {1e3 * hundredths[94]:.3f} ms, "
            f"processor {1e3 * caller.busy / len(caller.times):.3f} ms\n"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
