"""A pool follows its pods' work: they publish it, an adapter or KEDA serves it, Kubernetes' autoscaler counts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.support.custom_metrics import custom_metrics
from tests.support.keda_beside import keda
from tests.support.kubernetes_programs import KEDA, find_programs, foreign_definitions
from tests.support.living import LivingResource, pool
from tests.support.patience import eventually
from tests.support.scraping import ADDRESS, prometheus
from tests.support.site import Site, resource
from tests.support.stages import Stages
from whisper_contract.surface import Metric

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200), pytest.mark.usefixtures("own_node")]

_PATIENCE_SECONDS: Final = 300
_WISH: Final = {"minReplicas": 1, "maxReplicas": 3, "slotsInUse": 1}


def test_a_pool_follows_the_work_of_its_pods(installed: Site, stages: Stages, tmp_path: Path) -> None:
    with custom_metrics(installed, tmp_path) as metrics, elastic(installed) as live:
        follow(live, stages, lambda: metrics.tell(Metric.SLOTS_IN_USE, live.figures(Metric.SLOTS_IN_USE)))


@pytest.fixture
def keda_programs(request: pytest.FixtureRequest) -> dict[str, Path]:
    """KEDA, built where somebody has the ten minutes."""
    return find_programs(KEDA, build=request.config.getoption("--e2e") == "required")


def test_keda_lets_a_pool_follow_what_prometheus_has_seen(
    installed: Site, stages: Stages, keda_programs: dict[str, Path], tmp_path: Path
) -> None:
    with (
        installed.defined(foreign_definitions("prometheus")),
        keda(installed, keda_programs, tmp_path),
        elastic(installed, prometheus=f"http://{ADDRESS}") as live,
    ):
        monitors = eventually(lambda: installed.read("servicemonitors")["items"])
        with prometheus(installed, monitors, [], tmp_path) as watching:
            follow(live, stages, watching.discover)


@contextmanager
def elastic(site: Site, **wish: str) -> Iterator[LivingResource]:
    """Let there be a resource whose pods are as many as its work needs, while the block runs."""
    scaled = pool() | {"autoscaling": _WISH | wish}
    site.apply(resource("elastic", pools=[scaled], monitoring={"serviceMonitor": bool(wish)}))
    try:
        yield LivingResource(site, "elastic")
    finally:
        # With all that it owns: KEDA has to let go of its own while it is there.
        site.shell("kubectl delete wd elastic --cascade=foreground --timeout=3m")


def follow(live: LivingResource, stages: Stages, tell: Callable[[], None]) -> None:
    """Let somebody ask for a while, and see pods come and go; `tell` says what they publish."""

    def ready() -> int:
        tell()
        return len(live.ready())

    with stages.stage("an autoscaler reads an idle pod"):
        eventually(lambda: ready() == 1 and scales(live), seconds=_PATIENCE_SECONDS)
    with stages.stage("two who ask without pause: more pods") as seen, live.asked_without_pause(seen):
        eventually(lambda: ready() > 1, seconds=_PATIENCE_SECONDS)
        seen.append(live.site.shell("kubectl get wd elastic --no-headers").strip())
    with stages.stage("nobody asks: one pod again") as seen:
        eventually(lambda: ready() == len(live.pods()) == 1, seconds=_PATIENCE_SECONDS)
        seen.append(live.site.shell("kubectl get wd elastic --no-headers").strip())


def scales(live: LivingResource) -> bool:
    """Say whether the autoscaler has its metric."""
    (autoscaler,) = live.site.read("hpa -l app.kubernetes.io/instance=elastic")["items"]
    told = {each["type"]: each["status"] for each in autoscaler["status"].get("conditions", ())}
    return told.get("ScalingActive") == "True"
