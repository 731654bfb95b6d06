"""Pods are asked over HTTP what the server's own metrics say."""

import asyncio
from collections.abc import Callable, Iterable, Iterator

import pytest
from prometheus_client import CollectorRegistry, start_http_server

from whisper_inference.observability.metrics import Metrics
from whisper_inference.streaming.capacity import Standing
from whisper_operator.observation import Busy, Slots
from whisper_operator.play.ports import free_port
from whisper_operator.pod_client import HttpPodClient


@pytest.fixture
def pods() -> Iterator[Callable[[int, int], int]]:
    """Starts a pod's management port with these slots in use and in all; returns the port."""
    servers = []

    def start(in_use: int, total: int) -> int:
        registry, port = CollectorRegistry(), free_port()
        metrics = Metrics(registry)
        metrics.slots_changed(in_use, total)
        metrics.streams.follow(lambda: Standing(2, 5))
        metrics.stream_open().__enter__()
        servers.append(start_http_server(port, "127.0.0.1", registry))
        return port

    yield start
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def ask(port: int, addresses: Iterable[str]) -> Busy | None:
    """Ask pods on one port."""
    client = HttpPodClient(port)

    async def whole() -> Busy | None:
        return await client.busy(addresses)

    try:
        return asyncio.run(whole())
    finally:
        client.close()


def test_what_pods_say_is_added_up_and_who_does_not_answer_is_left_out(pods: Callable[[int, int], int]) -> None:
    port = pods(3, 8)
    assert ask(port, ["127.0.0.1", "127.0.0.1"]) == Busy(Slots(6, 16), Slots(2, 14))
    assert ask(port, ["127.0.0.1", "127.0.0.2"]) == Busy(Slots(3, 8), Slots(1, 7))
    assert ask(port, []) is None


def test_a_port_where_nobody_is_and_an_address_that_is_none_say_nothing() -> None:
    assert ask(free_port(), ["127.0.0.1", "::1", "not an address"]) is None
