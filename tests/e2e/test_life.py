"""A resource's life under load: it is scaled, changed, evicted, its keys and operator are replaced; nobody fails."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.support.live_streams import LiveStreams
from tests.support.living import LivingResource, new_key, pool
from tests.support.patience import eventually
from tests.support.site import Site
from tests.support.stages import Stages

pytestmark = pytest.mark.e2e

_OPERATOR: Final = "whisper-operator"
_REPLICAS: Final = 4
_STREAMS: Final = 20


@pytest.fixture(scope="module")
def live(installed: Site, stages: Stages) -> Iterator[LivingResource]:
    """A resource with two replicas that serve."""
    resource = LivingResource(installed, "live")
    with stages.stage("two replicas and their Redis become ready"):
        resource.create(2)
    yield resource
    installed.shell("kubectl delete wd live")


def test_scaling_and_rolling_fail_no_request(live: LivingResource, stages: Stages) -> None:
    live.scale(2)
    with stages.stage("scaled and rolled under load") as seen, live.asked_without_pause(seen):
        with stages.stage("  from 2 to 3 and back"):
            live.scale(3)
            live.scale(2)
        with stages.stage("  other limits and requests"):
            requests, limits = {"cpu": "150m", "memory": "300Mi"}, {"memory": "1100Mi"}
            live.roll(pools=[pool(requests=requests, limits=limits)], api={"maxAudioDuration": "4m"})
        with stages.stage("  another precision of the model"):
            live.roll(model={"precision": "f32"})


@pytest.mark.usefixtures("own_node")
def test_evictions_leave_enough_that_serve(live: LivingResource, stages: Stages) -> None:
    live.scale(2)
    site = live.site
    eventually(lambda: site.read("pdb -l app.kubernetes.io/instance=live")["items"][0]["status"]["disruptionsAllowed"])
    first, second = live.ready()
    node = site.read(f"pod/{first}")["spec"]["nodeName"]
    with stages.stage("cordoned; one pod evicted, the next one not") as seen, live.asked_without_pause(seen):
        site.shell(f"kubectl cordon {node}")
        try:
            live.evict(first)
            eventually(lambda: first not in {pod["metadata"]["name"] for pod in live.pods()}, seconds=180)
            # The one in its place finds no node: until it does, the last one must stay.
            with pytest.raises(RuntimeError, match="disruption budget") as refused:
                live.evict(second)
            assert live.ready() == [second]
        finally:
            site.shell(f"kubectl uncordon {node}")
        live.settle(2)
        seen.append(str(refused.value).strip().rpartition(": ")[2])


def test_a_session_goes_on_while_keys_are_rotated(live: LivingResource, stages: Stages) -> None:
    live.scale(2)
    with stages.stage("keys rotated under a session's load") as seen, live.asked_without_pause(seen, session=True):
        before, keys = live.uids(), live.site.keys("live")
        with stages.stage("  API_KEY: the running pods read it again"):
            changed = new_key()
            live.change_keys(API_KEY=changed)
            urls = live.addresses()
            eventually(lambda: live.ask("use", changed, *urls) == [200, 200], seconds=240)
            eventually(lambda: live.ask("use", keys["API_KEY"], *urls) == [401, 401], seconds=240)
            assert live.uids() == before
        with stages.stage("  SECRET_KEY: new pods know the one before"):
            live.change_keys(SECRET_KEY=new_key(), SECRET_KEY_PREVIOUS=keys["SECRET_KEY"])
            live.settle_anew(before)
            token = str(live.ask("begin", live.addresses()[0]))
            assert live.ask("use", token, *live.addresses()) == [200, 200]


def test_an_upgrade_of_the_operator_disturbs_nobody(live: LivingResource, stages: Stages) -> None:
    live.scale(2)
    site = live.site

    def operator() -> str:
        (pod,) = site.read(f"pods -n {_OPERATOR} -l app.kubernetes.io/name={_OPERATOR}")["items"]
        return str(pod["metadata"]["uid"])

    with stages.stage("helm upgrade under load") as seen, live.asked_without_pause(seen):
        old, before = operator(), live.uids()
        site.shell(
            f"helm upgrade {_OPERATOR} helm/whisper-operator -n {_OPERATOR} --reuse-values "
            "--set resyncSeconds=61 --wait --timeout 5m"
        )
        eventually(lambda: operator() != old)
        with stages.stage("  the new one takes up a change"):
            live.scale(3)
        assert before < live.uids()


@pytest.mark.usefixtures("own_node")
def test_live_streams_outlive_their_pods(live: LivingResource, stages: Stages) -> None:
    with stages.stage("four replicas"):
        live.scale(_REPLICAS)
    streams = LiveStreams(live.site, "live", _STREAMS)

    def all_are_open() -> dict[str, float]:
        return eventually(lambda: live.figures("whisper_streams"), lambda found: sum(found.values()) == _STREAMS)

    with stages.stage("streams over a SIGKILL and a SIGTERM") as seen, streams.speaking(seen):
        eventually(lambda: sum(live.figures("whisper_stream_lag_seconds_count").values()) > _STREAMS)
        killed = all_are_open()
        first = max(killed, key=killed.__getitem__)
        live.kill(first)
        stopped = all_are_open()
        second = max(stopped.keys() - {first}, key=stopped.__getitem__)
        live.site.shell(f"kubectl delete pod {second}")
        all_are_open()
        hit = round(killed[first] + stopped[second])
        seen.append(f"{hit} on the two pods")
    live.settle(_REPLICAS)
    assert streams.resumed >= hit > 0
