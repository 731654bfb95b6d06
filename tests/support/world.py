"""`World`: a fake cluster with one resource in it, the operator's reconciler, and time."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, Final

import pytest

from tests.support.fake_cluster import FakeCluster
from tests.support.resources import DEFAULTS, Clock, let_pods_be_ready, manifest
from whisper_operator.api.status import Condition
from whisper_operator.children.names import Manifest
from whisper_operator.observation import Busy
from whisper_operator.pod_client import added_up
from whisper_operator.reconcile import OwnerKey, Reconciler
from whisper_operator.watched import NothingWatched, Watched

KEY: Final = OwnerKey("default", "live")


class FakePods:
    """Pods that say how busy they are."""

    def __init__(self) -> None:
        self.said: dict[str, Busy] = {}
        """By address."""

    async def busy(self, addresses: Iterable[str]) -> Busy | None:
        """Add up what they say."""
        return added_up([self.said[address] for address in addresses if address in self.said])


class World:
    """A cluster with one resource, the operator's reconciler, and time."""

    def __init__(self, **spec: Any) -> None:  # noqa: ANN401 - fields of a spec
        self.cluster = FakeCluster()
        self.clock = Clock()
        self.cluster.put(manifest(**spec))
        self.keys = 0
        self.pods = FakePods()
        self.reported: dict[OwnerKey, Sequence[Condition]] = {}
        self.watch(NothingWatched())

    def watch(self, watched: Watched) -> None:
        """Make passes from now on with what these watches know."""
        self.reconciler = Reconciler(
            self.cluster, watched, self.pods, DEFAULTS, self.clock, self.make_key, self.reported.__setitem__
        )

    def make_key(self) -> str:
        """Make a key that no other is."""
        self.keys += 1
        return f"generated-key-number-{self.keys:032d}"

    def reconcile(self, after: float = 0) -> list[str]:
        """Make a pass; return what it wrote, as `verb Kind`."""
        self.clock.advance(after)
        before = len(self.cluster.writes)
        asyncio.run(_awaited(self.reconciler.reconcile(KEY)))
        return [f"{write.verb} {write.kind}" for write in self.cluster.writes[before:]]

    def settle(self) -> None:
        """Make passes with every pod ready until nothing is written."""
        for _ in range(5):
            for name in self.cluster.names("Deployment"):
                let_pods_be_ready(self.deployment(name))
            if not self.reconcile():
                return
        pytest.fail("it writes for ever")

    def deployment(self, name: str) -> Manifest:
        """A Deployment by its whole name."""
        return self.cluster.find("Deployment", name)

    def change(self, **spec: Any) -> None:  # noqa: ANN401 - fields of a spec
        """Change fields of the spec, as a person does."""
        owner = self.cluster.find("WhisperDeployment", "live")
        owner["spec"] |= spec
        owner["metadata"]["generation"] += 1

    def condition(self, kind: str) -> tuple[str, str]:
        """A condition's status and reason."""
        status = self.cluster.find("WhisperDeployment", "live")["status"]
        found = next(condition for condition in status["conditions"] if condition["type"] == kind)
        return found["status"], found["reason"]

    def message(self, kind: str) -> str:
        """A condition's message."""
        status = self.cluster.find("WhisperDeployment", "live")["status"]
        return str(next(each["message"] for each in status["conditions"] if each["type"] == kind))


async def _awaited(pass_over: Awaitable[object]) -> None:
    await pass_over
