"""Custom metrics of a cluster: SIG Instrumentation's test adapter, told what pods publish as Prometheus would have it.

https://github.com/kubernetes-sigs/custom-metrics-apiserver/tree/master/test-adapter
"""

import json
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.api_services import registered, serving_options
from tests.support.kubernetes_programs import ADAPTER, find_programs
from tests.support.site import Site

_WRITE: Final = "http://127.0.0.1:8080/write-metrics"
_LOOKS_BACK_SECONDS: Final = 15
"""The most of so long counts, as with `max_over_time`: requests begin and end between two looks."""


class CustomMetrics:
    """Remembers what pods publish, and writes it into the adapter."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._seen: dict[str, deque[tuple[float, float]]] = {}

    def tell(self, metric: str, figures: Mapping[str, float]) -> None:
        """Take in what each pod publishes now, and tell the most of the last seconds."""
        now = time.monotonic()
        for pod, value in figures.items():
            seen = self._seen.setdefault(pod, deque())
            seen.append((now, value))
            while seen[0][0] < now - _LOOKS_BACK_SECONDS:
                seen.popleft()
            most = max(value for _, value in seen)
            path = f"{_WRITE}/namespaces/{self._site.namespace}/pods/{pod}/{metric}"
            self._site.shell(
                f"curl -sS --fail -X POST -H 'Content-Type: application/json' -d @- {path}", json.dumps(f"{most:g}")
            )


@contextmanager
def custom_metrics(site: Site, folder: Path) -> Iterator[CustomMetrics]:
    """Serve them to the cluster's autoscalers while the block runs."""
    program = find_programs(ADAPTER)["test-adapter"]
    command = f"exec {program} {serving_options(folder)}"
    with (
        site.beside(folder / "adapter.log", "bash", "-c", command),
        registered(site, "custom.metrics.k8s.io", "v1beta2"),
    ):
        yield CustomMetrics(site)
