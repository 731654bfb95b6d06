"""Minutes in which operator and API server are killed at random while people change their minds: `make chaos`.

Not in CI: that each write may be the last is proved in `test_killed.py`. `CHAOS_SECONDS` says for how long,
`CHAOS_SEED` which minutes.
"""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from kubernetes import client
from urllib3.exceptions import HTTPError

from tests.support.control_plane import ControlPlane
from tests.support.mortal import LITTLE, MUCH, Mortal, live
from tests.support.patience import eventually
from tests.support.person import Person
from tests.support.resources import CPU
from tests.support.running_operator import Operator
from whisper_operator.api.base import GROUP, KIND, PLURAL, VERSION
from whisper_operator.children.names import INSTANCE_LABEL, Manifest
from whisper_operator.kinds import CHILDREN, OPTIONAL, POD, Kind
from whisper_operator.kubernetes_cluster import KubernetesCluster
from whisper_operator.reconcile import OwnerKey
from whisper_operator.settings import OperatorSettings

SECONDS: Final = float(os.environ.get("CHAOS_SECONDS", "0"))
SEED: Final = int(os.environ.get("CHAOS_SEED", "1"))
NAMES: Final = ("one", "two", "three", "four")
WISHES: Final[tuple[dict[str, Any], ...]] = (
    MUCH,
    LITTLE,
    {"replicas": 3},
    {"pools": [CPU, CPU | {"name": "more", "standby": True}], "fallback": {"after": "1s"}},
    {"route": {"host": "speech.example.org"}},
    {"route": None},
)
PAUSE: Final = 0.5
CALM_SECONDS: Final = 120
"""How long it may take until all is as it should be, on a machine that does other things, too."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SECONDS, reason="takes minutes: `make chaos`, or CHAOS_SECONDS=300"),
]


@dataclass
class Chaos:
    """People, and what is killed under them."""

    person: Person
    plane: ControlPlane
    operator: Operator
    dice: random.Random
    done: Counter[str] = field(default_factory=Counter)

    def reign(self, seconds: float) -> None:
        """Do what comes to mind."""
        deeds: dict[Callable[[], None], int] = {
            self.change: 24,
            self.create: 8,
            self.delete: 4,
            self.kill_the_operator: 4,
            self.kill_the_api_server: 2,
        }
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            (deed,) = self.dice.choices(list(deeds), list(deeds.values()))
            try:
                deed()
                self.done[deed.__name__] += 1
            except client.ApiException as refusal:
                self.done[f"{deed.__name__}: {refusal.status}"] += 1
            except HTTPError:
                self.done[f"{deed.__name__}: no answer"] += 1
            time.sleep(self.dice.uniform(0, PAUSE))

    def change(self) -> None:
        """Want something else."""
        self.person.patch(self.dice.choice(NAMES), **self.dice.choice(WISHES))

    def create(self) -> None:
        """Want another one, or one again."""
        self.person.create(self.dice.choice(NAMES), **self.dice.choice((MUCH, {"replicas": 2})))

    def delete(self) -> None:
        """Want it no more."""
        self.person.delete(self.dice.choice(NAMES))

    def kill_the_operator(self) -> None:
        """Kill it; another one comes soon, as a Deployment's would."""
        self.operator.kill()
        time.sleep(self.dice.uniform(0, 1))
        self.operator.start()

    def kill_the_api_server(self) -> None:
        """Kill it; it comes back soon."""
        self.plane.kill_api_server()
        time.sleep(self.dice.uniform(0, 2))
        self.plane.start_api_server()


@pytest.fixture
def operator(kubeconfig: Path, namespace: str, tmp_path: Path) -> Operator:
    """The operator, not started."""
    return Operator(kubeconfig, [namespace], tmp_path / "operator.log")


def test_whatever_is_killed_all_comes_out_as_it_was_last_wanted(
    api: client.ApiClient, person: Person, control_plane: ControlPlane, operator: Operator
) -> None:
    chaos = Chaos(person, control_plane, operator, random.Random(SEED))  # noqa: S311 - no secret
    with operator.running("5"):
        chaos.reign(SECONDS)
        began = time.monotonic()
        eventually(lambda: restless(api, person), lambda found: not found, seconds=CALM_SECONDS)
        calm = time.monotonic() - began
        before = versions(api, person)
        time.sleep(12)  # two resyncs
        assert versions(api, person) == before, "somebody still writes"
    living = resources(person)
    assert orphans(api, person, living) == []
    assert chaos.done["kill_the_operator"] > 0
    print(f"seed {SEED}: {dict(chaos.done)}; {len(living)} left, at rest after {calm:.0f} s")  # noqa: T201 - the count


def resources(person: Person) -> list[Manifest]:
    """All resources there are."""
    answer = person.custom.list_namespaced_custom_object(GROUP, VERSION, person.namespace, PLURAL)
    items: list[Manifest] = answer["items"]
    return items


def restless(api: client.ApiClient, person: Person) -> list[str]:
    """What is not yet as it should be: in the eyes of another operator, of the resource, and of the cluster."""
    found = []
    living = resources(person)
    for each in living:
        metadata, status = each["metadata"], each.get("status", {})
        if status.get("observedGeneration") != metadata["generation"]:
            found.append(f"{metadata['name']} is not looked at")
        elif writes := live(Mortal(api), OwnerKey(person.namespace, metadata["name"]), OperatorSettings().defaults):
            found.append(f"{metadata['name']} lacked {writes} writes")
    return found + orphans(api, person, living)


def orphans(api: client.ApiClient, person: Person, living: list[Manifest]) -> list[str]:
    """Objects of ours whose resource is gone, or was another of the same name."""
    uids = {each["metadata"]["name"]: each["metadata"]["uid"] for each in living}
    return [
        f"{kind.name} {each['metadata']['name']}"
        for kind, each in ours(api, person)
        if not _belongs(each["metadata"], uids)
    ]


def _belongs(metadata: Manifest, uids: dict[str, str]) -> bool:
    uid = uids.get(metadata["labels"][INSTANCE_LABEL])
    # What a child has made in turn is the child's.
    owners = [each["uid"] for each in metadata.get("ownerReferences", ()) if each["kind"] == KIND]
    return uid is not None and owners in ([], [uid])


def ours(api: client.ApiClient, person: Person) -> list[tuple[Kind, Manifest]]:
    """Every object that is there because of a resource."""
    cluster = KubernetesCluster(api, lambda: datetime.now(UTC))
    kinds = [kind for kind in (*CHILDREN, POD) if kind not in OPTIONAL]

    async def everything() -> list[tuple[Kind, Manifest]]:
        return [
            (kind, each)
            for kind in kinds
            for each in await cluster.list_labelled(kind, person.namespace, {"app.kubernetes.io/name": "whisper"})
        ]

    try:
        return asyncio.run(everything())
    finally:
        cluster.close()


def versions(api: client.ApiClient, person: Person) -> set[tuple[str, str, str]]:
    """What there is, and when it was last written."""
    children = [(kind.name, each["metadata"]) for kind, each in ours(api, person) if kind != POD]
    owners = [(KIND, each["metadata"]) for each in resources(person)]
    return {(kind, each["name"], each["resourceVersion"]) for kind, each in (*children, *owners)}
