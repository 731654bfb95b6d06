"""Asking pods how busy they are, on their management port."""

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Final, Protocol

import urllib3
from prometheus_client.parser import text_string_to_metric_families

from whisper_contract.surface import MANAGEMENT_PORT, METRICS_PATH, Metric
from whisper_operator.observation import Busy, Slots

_TIMEOUT: Final = urllib3.Timeout(connect=1, read=2)
"""Seconds. What a pod does not say now it says at the next resync."""
_PODS_AT_ONCE: Final = 16


class PodClient(Protocol):
    """How pods are asked."""

    async def busy(self, addresses: Iterable[str]) -> Busy | None:
        """Add up what the pods at these addresses say; `None` if none of them answers."""
        ...


class HttpPodClient:
    """Reads the servers' metrics."""

    def __init__(self, port: int = MANAGEMENT_PORT) -> None:
        self._port = port
        self._threads = ThreadPoolExecutor(_PODS_AT_ONCE, thread_name_prefix="pods")
        self._http = urllib3.PoolManager(num_pools=_PODS_AT_ONCE, retries=False, timeout=_TIMEOUT)

    def close(self) -> None:
        """Let the threads and connections go."""
        self._threads.shutdown(cancel_futures=True)
        self._http.clear()

    async def busy(self, addresses: Iterable[str]) -> Busy | None:
        """Add up what the pods at these addresses say."""
        loop = asyncio.get_running_loop()
        asked = (loop.run_in_executor(self._threads, self._of_pod, address) for address in addresses)
        answers = [answer for answer in await asyncio.gather(*asked) if answer is not None]
        return added_up(answers)

    def _of_pod(self, address: str) -> Busy | None:
        host = f"[{address}]" if ":" in address else address
        try:
            answer = self._http.request("GET", f"http://{host}:{self._port}{METRICS_PATH}")
            return _parsed(answer.data.decode()) if answer.status == HTTPStatus.OK else None
        except (urllib3.exceptions.HTTPError, ValueError):
            return None


def _parsed(metrics: str) -> Busy | None:
    found = {
        family.name: family.samples[0].value for family in text_string_to_metric_families(metrics) if family.samples
    }
    if Metric.SLOTS not in found:
        return None  # the model is still loading
    slots = Slots(round(found.get(Metric.SLOTS_IN_USE, 0)), round(found[Metric.SLOTS]))
    streams = Slots(round(found.get(Metric.STREAMS, 0)), round(found.get(Metric.STREAM_SLOTS, 0)))
    return Busy(slots, streams)


def added_up(answers: Sequence[Busy]) -> Busy | None:
    """Return how busy pods are together; `None` if nobody says anything."""
    return Busy(_sum(each.rows for each in answers), _sum(each.streams for each in answers)) if answers else None


def _sum(each: Iterable[Slots]) -> Slots:
    in_use, total = zip(*each, strict=True)
    return Slots(sum(in_use), sum(total))
