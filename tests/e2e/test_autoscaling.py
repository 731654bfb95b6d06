"""A pool follows its pods' work: they publish it, an adapter serves it, Kubernetes' autoscaler counts."""

from pathlib import Path
from typing import Final

import pytest

from tests.support.custom_metrics import CustomMetrics, custom_metrics
from tests.support.living import LivingResource, pool
from tests.support.patience import eventually
from tests.support.site import Site, resource
from tests.support.stages import Stages
from whisper_contract.surface import Metric

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

_MOST: Final = 3
_PATIENCE_SECONDS: Final = 300


@pytest.mark.usefixtures("own_node")
def test_a_pool_follows_the_work_of_its_pods(installed: Site, stages: Stages, tmp_path: Path) -> None:
    live = LivingResource(installed, "elastic")
    with custom_metrics(installed, tmp_path) as metrics:
        wish = {"minReplicas": 1, "maxReplicas": _MOST, "slotsInUse": 1}
        installed.apply(resource("elastic", pools=[pool() | {"autoscaling": wish}]))
        try:
            with stages.stage("an autoscaler reads an idle pod"):
                eventually(lambda: ready_pods(live, metrics) == 1, seconds=_PATIENCE_SECONDS)
                eventually(lambda: scales(live, metrics), seconds=_PATIENCE_SECONDS)
            with stages.stage("two who ask without pause: more pods") as seen, live.asked_without_pause(seen):
                eventually(lambda: ready_pods(live, metrics) > 1, seconds=_PATIENCE_SECONDS)
                seen.append(installed.shell("kubectl get wd elastic --no-headers").strip())
            with stages.stage("nobody asks: one pod again") as seen:
                eventually(lambda: ready_pods(live, metrics) == len(live.pods()) == 1, seconds=_PATIENCE_SECONDS)
                seen.append(installed.shell("kubectl get wd elastic --no-headers").strip())
        finally:
            installed.shell("kubectl delete wd elastic")


def ready_pods(live: LivingResource, metrics: CustomMetrics) -> int:
    """Tell what the pods publish, and return how many they are."""
    figures = live.figures(Metric.SLOTS_IN_USE)
    metrics.tell(Metric.SLOTS_IN_USE, figures)
    return len(figures)


def scales(live: LivingResource, metrics: CustomMetrics) -> bool:
    """Say whether the autoscaler has its metric, and the resource no complaint."""
    ready_pods(live, metrics)
    (autoscaler,) = live.site.read("hpa -l app.kubernetes.io/instance=elastic")["items"]
    told = {each["type"]: each["status"] for each in autoscaler["status"].get("conditions", ())}
    return told.get("ScalingActive") == "True"
