"""Connections that keep the server waiting are closed, and there are not too many of them."""

import asyncio
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from fastapi import FastAPI, Request

from tests.support.patience import until
from whisper_inference.connections import ClientConnection, ConnectionLimits, allow_open_files
from whisper_inference.serving import server_config

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
QUICK = ConnectionLimits(most=3, head_seconds=1.0, pause_seconds=1.0, kept_seconds=1)
INGRESS_KEEPS_SECONDS = 60
"""ingress-nginx's `upstream-keepalive-timeout`, and the idle timeout of AWS's load balancers."""
PATIENCE = 10


def application() -> FastAPI:
    """Says how long the body was."""
    app = FastAPI()

    @app.get("/")
    @app.post("/")
    async def length(request: Request) -> int:
        return len(await request.body())

    return app


@asynccontextmanager
async def serving(limits: ConnectionLimits) -> AsyncIterator[uvicorn.Server]:
    """Serve; yield the server."""
    server = uvicorn.Server(server_config(application(), "127.0.0.1", 0, 1.0, limits=limits))
    task = asyncio.create_task(server._serve())  # noqa: SLF001 - `serve` would take the test's signals
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield server
    finally:
        server.should_exit = True
        await task


def port_of(server: uvicorn.Server) -> int:
    """Where it listens."""
    return int(server.servers[0].sockets[0].getsockname()[1])


@asynccontextmanager
async def listening(limits: ConnectionLimits) -> AsyncIterator[int]:
    """Serve; yield the port."""
    async with serving(limits) as server:
        yield port_of(server)


def run(talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]]) -> bytes:
    """Talk over one connection."""

    async def whole() -> bytes:
        async with listening(QUICK) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                return await asyncio.wait_for(talk(reader, writer), PATIENCE)
            finally:
                writer.close()

    return asyncio.run(whole())


def test_who_says_nothing_is_closed() -> None:
    async def talk(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> bytes:
        return await reader.read()

    assert run(talk) == b""


def test_who_has_an_answer_and_asks_no_more_is_closed_but_not_before_a_proxy_would() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(GET)
        return await reader.read()

    assert run(talk).startswith(b"HTTP/1.1 200 OK")
    assert server_config(application(), "127.0.0.1", 0, 1.0).timeout_keep_alive > INGRESS_KEEPS_SECONDS


def test_who_says_it_byte_by_byte_is_closed() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        closed = asyncio.create_task(reader.read())
        for byte in GET * 100:
            writer.write(bytes([byte]))
            await asyncio.wait({closed}, timeout=0.05)
            if closed.done():
                return closed.result()
        return b"never closed"

    assert run(talk) == b""


def test_who_does_it_with_a_second_request_is_closed() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(GET)
        answer = await reader.readuntil(b"0")
        writer.write(b"GET /")
        return answer[:15] + await reader.read()

    assert run(talk).startswith(b"HTTP/1.1 200 OK")


def test_a_body_that_stops_coming_is_waited_for_no_longer() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
        return await reader.read()

    assert b"200" not in run(talk)


def test_a_body_that_comes_slowly_is_taken() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            await asyncio.sleep(0.15)
            writer.write(b"1")
        return await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(2)

    assert run(talk).endswith(b"10")


def test_one_too_many_is_told_so_and_the_others_go_on() -> None:
    async def whole() -> tuple[bytes, bytes]:
        limits = ConnectionLimits(most=3)
        async with listening(limits) as port, asyncio.timeout(PATIENCE):
            open_ones = [await asyncio.open_connection("127.0.0.1", port) for _ in range(limits.most)]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            refused = await reader.read()
            open_ones[0][1].write(GET)
            answered = await open_ones[0][0].readline()
            for _, each in (*open_ones, (reader, writer)):
                each.close()
            return refused, answered

    refused, answered = asyncio.run(whole())
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1\r\n" in refused
    assert b'"code": "too_many_connections"' in refused
    assert answered == b"HTTP/1.1 200 OK\r\n"


def test_connections_are_ended_whose_clients_wait_for_nothing() -> None:
    async def whole() -> tuple[bytes, bytes, bytes]:
        async with serving(ConnectionLimits(most=3)) as server, asyncio.timeout(PATIENCE):
            idle, asking, new = [await asyncio.open_connection("127.0.0.1", port_of(server)) for _ in range(3)]
            for reader, writer in (idle, asking):
                writer.write(GET)
                await reader.readuntil(b"\r\n\r\n0")
            asking[1].write(GET[:5])
            new[1].write(GET[:5])
            await until(lambda: sum(each._for_head for each in connections(server)) == 2)  # noqa: SLF001 - what came
            for each in connections(server):
                each.end_if_idle()
            ended = await idle[0].read()
            for _, writer in (asking, new):
                writer.write(GET[5:])
            answers = [await reader.readline() for reader, _ in (asking, new)]
            for _, writer in (idle, asking, new):
                writer.close()
            return ended, answers[0], answers[1]

    assert asyncio.run(whole()) == (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n")


def connections(server: uvicorn.Server) -> list[ClientConnection]:
    """Those that are open."""
    return [each for each in server.server_state.connections if isinstance(each, ClientConnection)]


@pytest.fixture
def file_limits() -> Iterator[tuple[int, int]]:
    """Leave the process's limits as they were."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_of_open_files_is_raised(file_limits: tuple[int, int]) -> None:
    _, hard = file_limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    allow_open_files(1000)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (1512, hard)


def test_a_limit_that_cannot_be_raised_is_said(file_limits: tuple[int, int], caplog: pytest.LogCaptureFixture) -> None:
    _, hard = file_limits
    allow_open_files(hard)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    assert f"{hard} connections need" in caplog.text
