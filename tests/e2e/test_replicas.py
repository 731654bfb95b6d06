"""Four replicas that share one Redis: a session is known to all, and outlives the pod of Redis."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.support.living import PATIENCE_SECONDS, LivingResource
from tests.support.patience import eventually
from tests.support.site import Site
from tests.support.stages import Stages

pytestmark = pytest.mark.e2e

_REPLICAS: Final = 4


@pytest.fixture(scope="module")
def team(installed: Site, stages: Stages) -> Iterator[LivingResource]:
    """Four replicas and their Redis."""
    resource = LivingResource(installed, "team")
    with stages.stage("four replicas and their Redis become ready"):
        resource.create(_REPLICAS)
    yield resource
    installed.shell("kubectl delete wd team")


def test_a_session_is_known_to_all_replicas_and_outlives_redis_s_pod(team: LivingResource, stages: Stages) -> None:
    site = team.site
    with stages.stage("a session begun at one replica, used at four"):
        urls = team.addresses()
        # Redis is ready by then, but a replica may not have reached it yet: it answers 503, which asks to come back.
        token = str(eventually(lambda: team.ask("begin", urls[0]), seconds=PATIENCE_SECONDS))
        assert team.ask("use", token, *urls) == [200] * _REPLICAS
    with stages.stage("Redis's pod deleted and back: the session is there"):
        (redis,) = site.read("pods -l app.kubernetes.io/component=redis,app.kubernetes.io/instance=team")["items"]
        site.shell(f"kubectl delete pod {redis['metadata']['name']} --wait")
        site.shell("kubectl wait --for=condition=Ready --timeout=3m pod -l app.kubernetes.io/component=redis")
        eventually(lambda: team.ask("use", token, *urls) == [200] * _REPLICAS, seconds=PATIENCE_SECONDS)
    with stages.stage("ended at one replica, refused by four"):
        assert team.ask("end", token, *reversed(urls)) == [401] * _REPLICAS
