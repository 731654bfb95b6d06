"""Devices as a node has them, loses them and gets them back: what serves, and what is said of it."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import pytest

from tests.support.caller import Caller, measured
from tests.support.live_streams import LiveStreams
from tests.support.patience import eventually
from tests.support.site import SMALL, Site, resource
from tests.support.stages import Stages

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

NPU: Final = "npu.intel.com/accel"
_AFTER_SECONDS: Final = 10
_PATIENCE_SECONDS: Final = 300
_STREAMS: Final = 2
_CLIP: Final = "examples/audio/unseen_0.wav"
_NOT_NEEDED: Final = "No pool has fallen short"
_OPERATOR: Final = "whisper-operator"
_POOL: Final[dict[str, Any]] = {
    "name": "npu",
    "device": "npu",
    "resources": SMALL,
    # The NPU's graphs, with every dimension fixed, on the device that there is.
    "env": [{"name": "WHISPER_NPU_PLUGIN", "value": "CPU"}],
}
_STANDBY: Final[dict[str, Any]] = {"name": "cpu", "device": "cpu", "standby": True, "resources": SMALL}


@pytest.fixture(scope="module")
def node(request: pytest.FixtureRequest, installed: Site) -> Iterator[Site]:
    """The cluster with a node that says it has two NPUs."""
    if request.config.getoption("--cluster") == "existing":
        pytest.skip("changes what its node says of devices")
    installed.give_devices(NPU, 2)
    yield installed
    installed.give_devices(NPU, 0)


@pytest.fixture(scope="module")
def preferring(node: Site, stages: Stages) -> Iterator[Site]:
    """The cluster with a resource on an NPU, and a CPU for when there is none."""
    with stages.stage("a resource on an NPU becomes Available") as seen:
        fallback = {"after": f"{_AFTER_SECONDS}s"}
        redis = node.small_redis()
        node.apply(resource("preferring", pools=[_POOL, _STANDBY], fallback=fallback, redis=redis))
        # The standby serves until the NPU's first pod has started, if that takes longer than it waits.
        eventually(lambda: on_the_npu(node), seconds=_PATIENCE_SECONDS)
        seen.append(row(node, "preferring"))
    yield node
    node.shell("kubectl delete wd preferring")


def servers(site: Site, device: str = "") -> list[dict[str, Any]]:
    """Return the pods of the resource that serve, of all pools or of one."""
    pool = f"whisperoperator.dev/pool{device and f'={device}'}"
    return list(site.read(f"pods -l {pool},app.kubernetes.io/instance=preferring")["items"])


def follows(site: Site, device: str) -> float:
    """Return how many streams the pods on a device follow."""
    addresses = [pod["status"]["podIP"] for pod in servers(site, device)]
    return sum(measured(site, f"{address}:9000", "whisper_streams") or 0 for address in addresses)


def row(site: Site, name: str) -> str:
    """Return what a person sees of a resource."""
    return site.shell(f"kubectl get wd {name} -o wide --no-headers").strip()


def on_the_npu(site: Site) -> bool:
    """Say whether the NPU's pool serves, and the standby's has ended."""
    pools = site.read("wd/preferring").get("status", {}).get("pools", ())
    return [(each["desired"], each["ready"]) for each in pools] == [(1, 1), (0, 0)] and len(servers(site)) == 1


def times_told(site: Site, reason: str, sentence: str) -> int:
    """Return how often people were told something by an event."""
    events = site.read(f"events --field-selector involvedObject.name=preferring,reason={reason}")["items"]
    return sum((each.get("series") or each).get("count") or 1 for each in events if sentence in each["message"])


def gauge(site: Site, name: str) -> float | None:
    """Return what the operator publishes of a resource's FallbackActive."""
    (pod,) = site.read(f"pods -n {_OPERATOR} -l app.kubernetes.io/name=whisper-operator")["items"]
    address = f"{pod['status']['podIP']}:8080"
    return measured(site, address, "whisper_operator_condition", name=name, type="FallbackActive")


def seconds_between(first: str, second: str) -> float:
    """Return the seconds from one time of a status to another."""
    return (datetime.fromisoformat(second) - datetime.fromisoformat(first)).total_seconds()


def test_an_npu_serves_its_own_graphs(preferring: Site) -> None:
    answer = Caller(preferring, "preferring").send(_CLIP)
    assert (answer.status, answer.device) == (200, "npu")
    (pod,) = servers(preferring)
    address = f"{pod['status']['podIP']}:9000"
    assert measured(preferring, address, "whisper_model_info", device="npu", simulated="true") == 1
    assert pod["spec"]["containers"][0]["resources"]["limits"][NPU] == "1"
    assert preferring.condition("preferring", "FallbackActive")["reason"] == "NotNeeded"
    assert gauge(preferring, "preferring") == 0


def test_a_standby_takes_over_and_steps_back_once(preferring: Site, stages: Stages) -> None:
    caller, name = Caller(preferring, "preferring"), "preferring"
    expected, steps_back = caller.send(_CLIP).text, times_told(preferring, "NotNeeded", _NOT_NEEDED)
    streams = LiveStreams(preferring, name, _STREAMS)
    with stages.stage("the NPU is taken away: the CPU stands in") as seen, streams.speaking(seen):
        eventually(lambda: follows(preferring, "npu"), lambda found: found == _STREAMS)
        preferring.give_devices(NPU, 0)
        preferring.shell("kubectl delete pod -l whisperoperator.dev/pool=npu,app.kubernetes.io/instance=preferring")
        answer = eventually(lambda: caller.send(_CLIP), lambda found: found.status == 200, seconds=_PATIENCE_SECONDS)
        assert answer == (200, "cpu", expected)
        active = preferring.condition(name, "FallbackActive")
        assert (active["status"], active["reason"]) == ("True", "DeviceMissing")
        assert gauge(preferring, name) == 1
        assert times_told(preferring, "DeviceMissing", "Pool cpu stands in for npu") == 1
        (missed, _) = preferring.read(f"wd/{name}")["status"]["pools"]
        waited = seconds_between(missed["since"], active["lastTransitionTime"])
        assert waited >= _AFTER_SECONDS - 1
        eventually(lambda: follows(preferring, "cpu"), lambda found: found == _STREAMS)
        seen += [f"{waited:.0f} s after the NPU fell short, of {_AFTER_SECONDS}", row(preferring, name)]
    assert streams.resumed >= _STREAMS
    with stages.stage("the NPU is given back: the CPU steps back once") as seen:
        preferring.give_devices(NPU, 2)
        eventually(lambda: caller.send(_CLIP), lambda found: found == (200, "npu", expected), seconds=_PATIENCE_SECONDS)

        eventually(lambda: on_the_npu(preferring), seconds=_PATIENCE_SECONDS)
        over = preferring.condition(name, "FallbackActive")
        assert (over["status"], over["reason"]) == ("False", "NotNeeded")
        assert gauge(preferring, name) == 0
        time.sleep(3 * _AFTER_SECONDS)  # what would flap would do so by now
        assert on_the_npu(preferring)
        assert preferring.condition(name, "FallbackActive")["lastTransitionTime"] == over["lastTransitionTime"]
        assert times_told(preferring, "NotNeeded", _NOT_NEEDED) == steps_back + 1
        seen.append(row(preferring, name))


def test_a_strict_resource_serves_nobody_rather_than_elsewhere(node: Site, stages: Stages) -> None:
    with stages.stage("strict: without an NPU nobody is served") as seen:
        node.give_devices(NPU, 0)
        node.apply(resource("strict", pools=[_POOL, _STANDBY], fallback={"after": "1s", "strict": True}))
        try:
            eventually(
                lambda: node.condition("strict", "Available"),
                lambda found: (found.get("status"), found.get("reason")) == ("False", "DeviceMissing"),
                seconds=_PATIENCE_SECONDS,
            )
            time.sleep(_AFTER_SECONDS)  # a standby would have come by now
            assert node.condition("strict", "FallbackActive")["reason"] == "Strict"
            slices = node.read("endpointslices -l kubernetes.io/service-name=strict")["items"]
            assert not [endpoint for each in slices for endpoint in each["endpoints"] or ()]
            pods = node.read("pods -l app.kubernetes.io/instance=strict")["items"]
            assert [pod["metadata"]["labels"]["whisperoperator.dev/pool"] for pod in pods] == ["npu"]
            seen.append(row(node, "strict"))
        finally:
            node.shell("kubectl delete wd strict")
            node.give_devices(NPU, 2)
