"""A real Prometheus on the node: it reads what our ServiceMonitors name, and our alerts fire and clear for real."""

import json
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import pytest

from tests.support.caller import Caller
from tests.support.kubernetes_programs import foreign_definitions
from tests.support.patience import eventually
from tests.support.scraping import Prometheus, prometheus
from tests.support.site import SMALL, Site, resource
from tests.support.stages import Stages
from whisper_operator.children.service import headless_name

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

NPU: Final = "npu.intel.com/accel"
_OPERATOR: Final = "whisper-operator"
_SWITCHES: Final = ("metrics.serviceMonitor", "metrics.rules", "metrics.dashboard")
_PODS: Final = "pods -l app.kubernetes.io/component=inference,app.kubernetes.io/instance=seen"
_REDIS: Final = "pods -l app.kubernetes.io/component=redis,app.kubernetes.io/instance=seen"
_LONG: Final = "examples/audio/seen_long0.wav"
"""More than a server keeps in memory: it goes to its disk."""
_SHORT: Final = "examples/audio/unseen_0.wav"
_STREAMS: Final = 2
_TOO_OFTEN: Final = 30
"""Beyond the limit of requests a minute."""
_PATIENCE_SECONDS: Final = 420
"""Beyond the five minutes over which rates are taken: a trouble that is over is seen for as long."""


class Watched(NamedTuple):
    """A cluster and who watches it."""

    site: Site
    prometheus: Prometheus
    caller: Caller
    since: float

    def until_fires(self, alert: str) -> None:
        """Wait until an alert fires."""
        eventually(self.prometheus.firing, lambda firing: alert in firing, seconds=_PATIENCE_SECONDS)

    def until_clear(self, alert: str) -> None:
        """Wait until it does not."""
        eventually(self.prometheus.firing, lambda firing: alert not in firing, seconds=_PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def watched(
    request: pytest.FixtureRequest, installed: Site, stages: Stages, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    """The cluster with a resource on an NPU with a CPU as its standby, and Prometheus."""
    if request.config.getoption("--cluster") == "existing":
        pytest.skip("changes what its node says of devices")
    since = time.time()
    with installed.defined(foreign_definitions("prometheus")):
        with stages.stage("monitoring on, a resource with everything") as seen:
            switch(installed, "true")
            installed.give_devices(NPU, 1)
            installed.apply(watched_resource(installed.small_redis()))
            installed.shell("kubectl wait --for=condition=Available --timeout=5m wd/seen")
            seen.append(installed.shell("kubectl get wd seen --no-headers").strip())
        monitors, rules = (installed.read(f"{kind} -A")["items"] for kind in ("servicemonitors", "prometheusrules"))
        with prometheus(installed, monitors, rules, tmp_path_factory.mktemp("prometheus")) as watching:
            yield Watched(installed, watching, Caller(installed, "seen"), since)
        installed.shell("kubectl uncordon $(kubectl get nodes -o name)")
        installed.shell("kubectl delete wd seen")
        installed.give_devices(NPU, 0)
        switch(installed, "false")


def switch(site: Site, value: str) -> None:
    """Turn the chart's part of it on or off."""
    sets = " ".join(f"--set {name}={value}" for name in _SWITCHES)
    site.shell(f"helm upgrade -n {_OPERATOR} {_OPERATOR} helm/whisper-operator --reuse-values --wait {sets}")


def watched_resource(redis: dict[str, Any]) -> dict[str, Any]:
    """Build the resource: its NPU is the CPU, which runs the NPU's graphs."""
    own = [{"name": "WHISPER_NPU_PLUGIN", "value": "CPU"}]
    return resource(
        "seen",
        pools=[
            {"name": "npu", "device": "npu", "resources": SMALL, "env": own},
            {"name": "cpu", "device": "cpu", "standby": True, "resources": SMALL},
        ],
        fallback={"after": "5s"},
        redis=redis,
        streams={"measured": False},
        api={"rateLimits": {"transcriptions": "unlimited", "reads": "20/minute"}},
        monitoring={"serviceMonitor": True, "alerts": True, "dashboard": True},
    )


def test_prometheus_finds_each_pod_once_and_the_operator(watched: Watched, stages: Stages) -> None:
    with stages.stage("Prometheus scrapes pods and operator"):
        wanted = {headless_name("seen"): ["up"], "whisper-operator-metrics": ["up"]}
        eventually(watched.prometheus.targets, lambda found: found == wanted)
        eventually(lambda: watched.prometheus.query("whisper_model_info"))
        assert watched.prometheus.unreadable_rules() == []


def test_failing_requests_and_late_text_alarm_until_they_are_over(watched: Watched, stages: Stages) -> None:
    site = watched.site
    pod = site.read(f"{_PODS},whisperoperator.dev/pool=npu")["items"][0]["metadata"]["name"]
    with stages.stage("a disk that takes nothing: WhisperErrors fires") as seen:
        let_files_grow(site, pod, "0")
        statuses: list[int] = []

        def told() -> bool:
            statuses.append(watched.caller.send(_LONG).status)
            return "WhisperErrors" in watched.prometheus.firing()

        eventually(told, seconds=_PATIENCE_SECONDS)
        assert set(statuses) == {500}
        let_files_grow(site, pod, "resource.RLIM_INFINITY")
        assert watched.caller.send(_LONG).status == 200
        seen.append(f"{len(statuses)} answers of 500, then 200")
    with stages.stage("a tenth of a core for streams: WhisperStreamsLate fires"):
        url, said = f"http://seen.{site.namespace}.svc", ("/audio/seen_long0.wav", str(_STREAMS))
        with site.client("/client/speak.py", url, *said, secret=site.key_of("seen")) as crowd:
            crowd.wait_for("speaking")
            give_cores(site, pod, "100m")
            watched.until_fires("WhisperStreamsLate")
        give_cores(site, pod, "4")
    with stages.stage("both are over: both clear"):
        watched.until_clear("WhisperErrors")
        watched.until_clear("WhisperStreamsLate")


def let_files_grow(site: Site, pod: str, most: str) -> None:
    """Let a server write files of so many bytes: a full disk, for it alone."""
    code = f"import resource; resource.prlimit(1, resource.RLIMIT_FSIZE, ({most}, resource.RLIM_INFINITY))"
    site.shell(f"kubectl exec {pod} -- python -c '{code}'")


def give_cores(site: Site, pod: str, cpu: str) -> None:
    """Change what a pod that runs may use."""
    patch = {"spec": {"containers": [{"name": "server", "resources": {"limits": {"cpu": cpu}}}]}}
    site.shell(f"kubectl patch pod {pod} --subresource resize -p '{json.dumps(patch)}'")


def test_a_lost_device_alarms_until_it_is_back(watched: Watched, stages: Stages) -> None:
    with stages.stage("the device is gone: WhisperFallbackActive fires"):
        watched.site.give_devices(NPU, 0)
        watched.site.shell(f"kubectl delete {_PODS},whisperoperator.dev/pool=npu --wait=false")
        watched.until_fires("WhisperFallbackActive")
    with stages.stage("it is back: WhisperFallbackActive clears"):
        watched.site.give_devices(NPU, 1)
        watched.until_clear("WhisperFallbackActive")


def test_a_node_that_takes_no_pods_alarms_until_it_does(watched: Watched, stages: Stages) -> None:
    site = watched.site
    with stages.stage("Redis is gone: WhisperSessionsDown fires"):
        site.shell("kubectl cordon $(kubectl get nodes -o name)")
        site.shell(f"kubectl delete {_REDIS} --wait=false")
        watched.until_fires("WhisperSessionsDown")
    with stages.stage("the last pod is gone: WhisperDown fires"):
        site.shell(f"kubectl delete {_PODS} --wait=false")
        watched.until_fires("WhisperDown")
        watched.until_fires("WhisperNotAvailable")
    with stages.stage("pods may come: all clear"):
        site.shell("kubectl uncordon $(kubectl get nodes -o name)")
        for alert in ("WhisperDown", "WhisperNotAvailable", "WhisperSessionsDown"):
            watched.until_clear(alert)


def test_every_panel_shows_something(watched: Watched, stages: Stages) -> None:
    """Comes last: some of them show nothing but trouble, and some nothing but streams."""
    with stages.stage("every query of both dashboards") as seen:
        watched.site.shell("kubectl wait --for=condition=Available --timeout=5m wd/seen")
        queries = dashboards(watched.site)

        def empty() -> set[str]:
            watched.caller.send(_SHORT)
            watched.caller.look(_TOO_OFTEN)
            return {query for query in queries if not shows(watched, query)}

        eventually(empty, lambda left: not left, seconds=_PATIENCE_SECONDS)
        seen.append(f"{len(queries)} queries return data")


def dashboards(site: Site) -> list[str]:
    """Return what the panels ask that Grafana would import."""
    configs = site.read("configmaps -A -l grafana_dashboard=1")["items"]
    assert len(configs) == 2
    boards = (json.loads(text) for config in configs for text in config["data"].values())
    return [target["expr"] for board in boards for panel in board["panels"] for target in panel["targets"]]


def shows(watched: Watched, query: str) -> bool:
    """Say whether a panel has drawn a point since it all began."""
    span = {"start": str(watched.since), "end": str(time.time()), "step": "15"}
    series = watched.prometheus.ask("query_range", query=query, **span)["result"]
    return any(value != "NaN" for each in series for _, value in each["values"])
