"""What triggers a pass besides kopf's watches: time, and Secrets."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any

import pytest
from typing_extensions import override

from tests.support.fake_cluster import FakeCluster
from tests.support.resources import Clock, manifest
from whisper_operator.children.names import child_name
from whisper_operator.errors import Unavailable
from whisper_operator.hearing import Hearing, WatchStuck
from whisper_operator.reconcile import OwnerKey
from whisper_operator.resync import resync
from whisper_operator.secret_watch import SecretUsers, watch_secrets

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


class _Deaf(Hearing):
    """Does not care what was told."""

    @override
    def listed(self, versions: Mapping[tuple[str, str], str]) -> None:
        del versions


def test_every_resource_is_triggered_again_and_again() -> None:
    cluster, triggered = FakeCluster(), list[OwnerKey]()
    cluster.put(manifest())
    cluster.put(manifest("other") | {"metadata": {"name": "other", "namespace": "elsewhere"}})
    run_for_a_moment(resync(cluster, (), triggered.append, _Deaf(Clock()), 0.01))
    assert set(triggered) == {LIVE, OwnerKey("elsewhere", "other")}
    assert triggered.count(LIVE) > 1


def test_only_the_namespaces_that_are_watched_are_looked_at() -> None:
    cluster, triggered = FakeCluster(), list[OwnerKey]()
    cluster.put(manifest())
    run_for_a_moment(resync(cluster, ("elsewhere",), triggered.append, _Deaf(Clock()), 0.01))
    assert triggered == []


class _Unreachable(FakeCluster):
    @override
    async def list_all(self, kind: object, namespace: str | None) -> list[dict[str, Any]]:
        raise Unavailable("asleep")

    @override
    async def watch_metadata(self, kind: object, namespace: str | None) -> AsyncIterator[dict[str, Any]]:
        raise Unavailable("asleep")
        yield {}


def test_a_cluster_that_does_not_answer_is_asked_again() -> None:
    cluster = _Unreachable()
    run_for_a_moment(resync(cluster, (), lambda _: None, _Deaf(Clock()), 0.01))
    run_for_a_moment(watch_secrets(cluster, (), SecretUsers(), lambda _: None))


def test_a_secret_triggers_the_resources_that_use_it() -> None:
    cluster, users, triggered = FakeCluster(), SecretUsers(), list[OwnerKey]()
    users.hear(LIVE, manifest(credentials={"secretName": "mine"}))
    users.hear(OwnerKey("default", "other"), manifest("other"))
    users.hear(OwnerKey("default", "strange"), manifest("strange", unknown=True))
    users.hear(OwnerKey("elsewhere", "live"), manifest(credentials={"secretName": "mine"}))
    names = ["mine", child_name("other", "credentials"), "nobody-s"]
    cluster.changed = [("Secret", {"namespace": "default", "name": name}) for name in names]
    run_for_a_moment(watch_secrets(cluster, (), users, triggered.append))
    assert triggered == [LIVE, OwnerKey("default", "other")]
    users.hear(LIVE, None)
    assert users.of("default", "mine") == []


def test_a_change_that_the_watch_does_not_tell_of_ends_the_operator() -> None:
    clock = Clock()
    cluster, hearing = FakeCluster(), Hearing(clock)
    hearing.hear(LIVE, cluster.put(manifest()))
    clock.advance(600)
    run_for_a_moment(resync(cluster, (), lambda _: None, hearing, 0.01))
    cluster.put(manifest(replicas=2))
    run_for_a_moment(resync(cluster, (), lambda _: None, hearing, 0.01))
    clock.advance(600)
    with pytest.raises(WatchStuck, match="live"):
        asyncio.run(resync(cluster, (), lambda _: None, hearing, 0.01))


def test_what_changed_again_or_was_told_late_or_is_gone_is_not_lost() -> None:
    clock = Clock()
    hearing = Hearing(clock)
    for version in ("1", "2", "3"):
        hearing.listed({LIVE: version})
        clock.advance(600)
    hearing.hear(LIVE, {"metadata": {"resourceVersion": "3"}})
    hearing.listed({LIVE: "3"})
    hearing.listed({LIVE: "4"})
    clock.advance(600)
    hearing.listed({})
    hearing.listed({LIVE: "4"})


def test_a_resource_that_is_gone_is_not_waited_for() -> None:
    clock = Clock()
    hearing = Hearing(clock)
    hearing.hear(LIVE, {"metadata": {"resourceVersion": "1"}})
    hearing.hear(LIVE, None)
    hearing.hear(LIVE, None)
    hearing.listed({})
