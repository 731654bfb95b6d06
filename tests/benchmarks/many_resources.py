"""Measure the operator against a plain client that makes the same objects: `python -m tests.benchmarks.many_resources`.

Both work against etcd and an API server on this machine, without controllers: no pods come of it. The plain client
creates prepared manifests on as many threads as the operator has. Prints a line of JSON for each count of resources.
"""

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import psutil
import yaml
from kubernetes import client, config

from tests.support.control_plane import ControlPlane
from tests.support.definitions import define
from tests.support.kubernetes_programs import CONTROL_PLANE, find_programs
from tests.support.patience import eventually
from tests.support.resources import children_of, manifest, resource
from tests.support.running_operator import Operator
from whisper_operator.api.crd import build_crd
from whisper_operator.children.credentials import build_credentials
from whisper_operator.children.names import Manifest
from whisper_operator.fingerprint import stamped
from whisper_operator.kinds import CHILDREN, DEPLOYMENT, EVENT, OWNER, Kind, kind_of

_THREADS: Final = 8
_PATIENCE_SECONDS: Final = 900
_MEBIBYTE: Final = 2**20

Versions: TypeAlias = set[tuple[str, str, str]]
"""Kind, name and version of each object."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured with so many resources."""

    resources: int
    plain_seconds: float
    operator_seconds: float
    """From the first resource that is created to the last child."""
    ratio: float
    plain_cpu_seconds: float
    operator_cpu_seconds: float
    passes: float
    peak_rss_mib: float
    rest_cpu_percent: float
    """Of a core, at rest, over one resync of all resources."""
    writes_at_rest: float
    """Objects that are others after that resync than before it."""


class Bench:
    """A control plane with the resource's definition, and a client of it."""

    def __init__(self, folder: Path) -> None:
        self.plane = ControlPlane(find_programs(CONTROL_PLANE), folder)
        self.plane.stop_controllers()
        configuration = client.Configuration()
        config.load_kube_config(str(self.plane.kubeconfig), client_configuration=configuration)
        self._api = client.ApiClient(configuration)
        define(self._api, yaml.safe_load(yaml.safe_dump(build_crd())))

    def close(self) -> None:
        """End it."""
        self._api.close()
        self.plane.close()

    def namespace(self) -> str:
        """Make a namespace."""
        name = f"bench-{uuid.uuid4().hex[:8]}"
        self.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    def create(self, kind: Kind, body: Manifest, namespace: str) -> None:
        """Create an object there."""
        placed = body | {"metadata": body["metadata"] | {"namespace": namespace}}
        self.call("POST", kind.path(namespace), placed)

    def at_once(self, work: Callable[[int], None], count: int) -> None:
        """Do it for each number, on as many threads as the operator has."""
        with ThreadPoolExecutor(_THREADS) as threads:
            list(threads.map(work, range(count)))

    def count(self, kind: Kind, namespace: str) -> int:
        """Count objects without reading them."""
        answer = self.call("GET", f"{kind.path(namespace)}?limit=1")
        return len(answer["items"]) + int(answer["metadata"].get("remainingItemCount", 0))

    def versions(self, namespace: str) -> Versions:
        """What there is of everything that the operator may have written."""
        found = set()
        for kind in (OWNER, EVENT, *CHILDREN):
            try:
                items = self.call("GET", kind.path(namespace))["items"]
            except client.ApiException:
                continue  # a kind that is not here
            metadata = (item["metadata"] for item in items)
            found |= {(kind.name, each["name"], each["resourceVersion"]) for each in metadata}
        return found

    def call(self, verb: str, path: str, body: Manifest | None = None) -> dict[str, Any]:
        """Make a request."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        request = self._api.param_serialize(verb, path, header_params=headers, body=body, auth_settings=["BearerToken"])
        answer = self._api.call_api(*request)
        content = answer.read()
        if answer.status >= 300:
            raise client.ApiException(status=answer.status, reason=content[:500].decode())
        return dict(json.loads(content))


def objects_of(number: int) -> list[Manifest]:
    """A resource and all its children, as the operator makes them."""
    owner = resource(_name(number))
    children = [stamped(child) for child in children_of(owner)]
    return [manifest(_name(number)), build_credentials(owner, lambda: "k" * 43), *children]


def measure_plain(bench: Bench, count: int) -> tuple[float, float]:
    """Create all objects; return the seconds and the processor's seconds that it took."""
    namespace = bench.namespace()
    prepared = [objects_of(number) for number in range(count)]

    def make(number: int) -> None:
        for body in prepared[number]:
            bench.create(OWNER if body["kind"] == OWNER.name else kind_of(body), body, namespace)

    began, busy = time.monotonic(), time.process_time()
    bench.at_once(make, count)
    return time.monotonic() - began, time.process_time() - busy


def measure_operator(bench: Bench, count: int, resync_seconds: int, folder: Path) -> dict[str, float]:
    """Create resources and wait for the operator's children of all, and then for one resync."""
    namespace = bench.namespace()
    operator = Operator(bench.plane.kubeconfig, [namespace], folder / f"{namespace}.log")
    with operator.running(str(resync_seconds)):
        process = psutil.Process(operator.pid)
        bench.create(OWNER, manifest("warm"), namespace)
        eventually(lambda: bench.count(DEPLOYMENT, namespace), lambda found: found == 1)
        _at_rest(bench, namespace)
        with _peak_rss(process) as peak:
            began, busy, passes = time.monotonic(), _cpu(process), _passes(operator)
            bench.at_once(lambda number: bench.create(OWNER, manifest(_name(number)), namespace), count)
            while (found := bench.count(DEPLOYMENT, namespace)) <= count:
                if time.monotonic() - began > _PATIENCE_SECONDS:
                    raise RuntimeError(f"{found - 1} of {count} were made in time")
                time.sleep(0.01 if count == 1 else 0.2)
            took = time.monotonic() - began
            before = _at_rest(bench, namespace)
            spent, passes = _cpu(process) - busy, _passes(operator) - passes
            rested, busy = time.monotonic(), _cpu(process)
            time.sleep(resync_seconds * 1.1)
            idle = (_cpu(process) - busy) / (time.monotonic() - rested)
            written = len(bench.versions(namespace) - before)
        return {
            "operator_seconds": took,
            "operator_cpu_seconds": spent,
            "passes": passes,
            "peak_rss_mib": peak[0] / _MEBIBYTE,
            "rest_cpu_percent": 100 * idle,
            "writes_at_rest": written,
        }


def measure(bench: Bench, count: int, rounds: int, resync_seconds: int, folder: Path) -> Figures:
    """Measure both in turns; return the medians."""
    plain, operated = [], []
    for _ in range(rounds):
        plain.append(measure_plain(bench, count))
        operated.append(measure_operator(bench, count, resync_seconds, folder))
    seconds, cpu = (statistics.median(figures) for figures in zip(*plain, strict=True))
    ours = {name: statistics.median(each[name] for each in operated) for name in operated[0]}
    rounded = {name: round(value, 2) for name, value in ours.items()}
    ratio = statistics.median(
        each["operator_seconds"] / alone for each, (alone, _) in zip(operated, plain, strict=True)
    )
    return Figures(
        resources=count,
        plain_seconds=round(seconds, 3),
        plain_cpu_seconds=round(cpu, 2),
        ratio=round(ratio, 2),
        **rounded,
    )


def _name(number: int) -> str:
    return f"live-{number}"


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _metric(operator: Operator, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{operator.metrics_port}", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line.split()[-1] for line in lines if line.startswith(f"{name} ")))


def _passes(operator: Operator) -> int:
    return int(_metric(operator, "whisper_operator_reconcile_duration_seconds_count"))


def _at_rest(bench: Bench, namespace: str) -> Versions:
    """Wait until nothing was written for some seconds; return what is there."""
    before: Versions = set()
    while (now := bench.versions(namespace)) != before:
        before = now
        time.sleep(3)
    return now


@contextmanager
def _peak_rss(process: psutil.Process) -> Iterator[list[int]]:
    """Look often how much memory it has; the most is in the list."""
    peak, done = [0], threading.Event()

    def look() -> None:
        while not done.wait(0.2):
            peak[0] = max(peak[0], process.memory_info().rss)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def main(arguments: Sequence[str]) -> None:
    """Measure as the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resources", nargs="+", type=int, default=[1, 1000])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--resync-seconds", type=int, default=120, help="to look at every resource once at rest")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        try:
            measure_plain(bench, 1)  # what the API server does once, it has then done
            for count in options.resources:
                figures = measure(bench, count, options.rounds, options.resync_seconds, Path(folder))
                sys.stdout.write(json.dumps(asdict(figures)) + "\n")
                sys.stdout.flush()
        finally:
            bench.close()


if __name__ == "__main__":
    main(sys.argv[1:])
