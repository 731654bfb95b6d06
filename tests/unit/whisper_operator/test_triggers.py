"""What triggers a pass besides kopf's watches: time, and Secrets."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from typing_extensions import override

from tests.support.fake_cluster import FakeCluster
from tests.support.resources import manifest
from whisper_operator.children.names import child_name
from whisper_operator.errors import Unavailable
from whisper_operator.reconcile import OwnerKey
from whisper_operator.resync import resync
from whisper_operator.secret_watch import watch_secrets

LIVE = OwnerKey("default", "live")


def run_for_a_moment(endless: Coroutine[Any, Any, None]) -> None:
    """Run something that only ends when it is cancelled."""

    async def whole() -> None:
        task = asyncio.create_task(endless)
        await asyncio.sleep(0.05)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(whole())


def test_every_resource_is_triggered_again_and_again() -> None:
    cluster, triggered = FakeCluster(), list[OwnerKey]()
    cluster.put(manifest())
    cluster.put(manifest("other") | {"metadata": {"name": "other", "namespace": "elsewhere"}})
    run_for_a_moment(resync(cluster, (), triggered.append, 0.01))
    assert set(triggered) == {LIVE, OwnerKey("elsewhere", "other")}
    assert triggered.count(LIVE) > 1


def test_only_the_namespaces_that_are_watched_are_looked_at() -> None:
    cluster, triggered = FakeCluster(), list[OwnerKey]()
    cluster.put(manifest())
    run_for_a_moment(resync(cluster, ("elsewhere",), triggered.append, 0.01))
    assert triggered == []


class _Unreachable(FakeCluster):
    @override
    async def list_all(self, kind: object, namespace: str | None) -> list[dict[str, Any]]:
        raise Unavailable("asleep")


def test_a_cluster_that_does_not_answer_is_asked_again() -> None:
    cluster = _Unreachable()
    cluster.changed = [("Secret", {"namespace": "default", "name": "mine"})]
    run_for_a_moment(resync(cluster, (), lambda _: None, 0.01))
    run_for_a_moment(watch_secrets(cluster, (), lambda _: None))


def test_a_secret_triggers_the_resources_that_use_it() -> None:
    cluster, triggered = FakeCluster(), list[OwnerKey]()
    cluster.put(manifest(credentials={"secretName": "mine"}))
    cluster.put(manifest("other"))
    cluster.put(manifest("strange", unknown=True))
    names = ["mine", child_name("other", "credentials"), "nobody-s"]
    cluster.changed = [("Secret", {"namespace": "default", "name": name}) for name in names]
    run_for_a_moment(watch_secrets(cluster, (), triggered.append))
    assert triggered == [LIVE, OwnerKey("default", "other")]
