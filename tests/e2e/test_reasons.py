"""What cannot run says why, where a person looks: in `kubectl get wd -o wide` and `kubectl describe wd`."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.support.patience import eventually
from tests.support.site import SMALL, Site, resource
from tests.support.stages import Stages

pytestmark = pytest.mark.e2e

_PATIENCE_SECONDS: Final = 240

CASES: Final[dict[str, tuple[dict[str, Any], str, str]]] = {
    "bad-image": (
        {"pools": [{"name": "cpu", "device": "cpu", "image": "localhost/not-there:1", "resources": SMALL}]},
        "ImagePull",
        "not-there",
    ),
    "too-large": (
        {"pools": [{"name": "cpu", "device": "cpu", "resources": {"requests": {"cpu": "900"}}}]},
        "Unschedulable",
        "Insufficient cpu",
    ),
    "wrong-label": (
        {"pools": [{"name": "cpu", "device": "cpu", "nodeSelector": {"no": "node"}}]},
        "Unschedulable",
        "affinity/selector",
    ),
    "no-device": ({"pools": [{"name": "npu", "device": "npu"}]}, "DeviceMissing", "npu.intel.com/accel"),
    "little-memory": (
        {
            "pools": [
                {
                    "name": "cpu",
                    "device": "cpu",
                    "resources": {"requests": {"cpu": "100m", "memory": "60Mi"}, "limits": {"memory": "60Mi"}},
                }
            ]
        },
        "OutOfMemory",
        "resources.limits.memory",
    ),
    "no-secret": (
        {"credentials": {"generate": False, "secretName": "not-there"}},
        "SecretMissing",
        "not-there",
    ),
}
"""By the resource's name: its fields, the reason of `Available`, and a word of the sentence."""


@pytest.fixture(scope="module")
def broken(installed: Site) -> Iterator[Site]:
    """The cluster with all of them at once: each takes its time."""
    installed.apply(*(resource(name, **fields) for name, (fields, _, _) in CASES.items()))
    yield installed
    installed.shell(f"kubectl delete wd {' '.join(CASES)}")


@pytest.mark.parametrize("name", CASES)
def test_a_resource_that_cannot_run_says_why(broken: Site, stages: Stages, name: str) -> None:
    _, reason, word = CASES[name]
    with stages.stage(f"{name} says why") as seen:
        eventually(
            lambda: broken.shell(f"kubectl get wd {name} -o wide --no-headers"),
            lambda row: reason in row,
            seconds=_PATIENCE_SECONDS,
        )
        described = broken.shell(f"kubectl describe wd {name}")
        assert word in described
        seen.append(f"{reason}: {broken.condition(name, 'Available')['message']}")
