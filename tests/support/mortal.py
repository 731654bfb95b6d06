"""Operators that die: at a write of a pass, before the API server gets it or after; and what there is of a resource."""

import asyncio
import itertools
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from kubernetes import client
from typing_extensions import override

from tests.support.patience import eventually
from tests.support.resources import CPU, DEFAULTS
from tests.support.world import FakePods
from whisper_operator.children.names import Manifest, owner_labels
from whisper_operator.defaults import Defaults
from whisper_operator.kinds import CHILDREN, OPTIONAL
from whisper_operator.kubernetes_cluster import KubernetesCluster
from whisper_operator.reconcile import OwnerKey, Reconciler
from whisper_operator.watched import NothingWatched

MUCH: Final[dict[str, Any]] = {
    "replicas": 2,
    "model": {"name": "demo", "source": {"path": "/models/demo"}, "cache": {"size": "1Gi"}},
    "redis": {"managed": {}},
    "pools": [CPU, CPU | {"name": "more"}],
    "monitoring": {"dashboard": True},
}
LITTLE: Final[dict[str, Any]] = {
    "replicas": 1,
    "model": {"cache": None},
    "redis": None,
    "pools": [CPU | {"image": "newer"}],
    "monitoring": None,
}


class Killed(BaseException):
    """The operator is no more; nothing in it may catch this."""


class Mortal(KubernetesCluster):
    """Dies at one of its writes: before the API server gets it, or when it has it and nobody hears the answer."""

    def __init__(self, api: client.ApiClient, last_write: int | None = None, *, heard: bool = False) -> None:
        super().__init__(api, lambda: datetime.now(UTC))
        self.writes = 0
        self._last_write = last_write
        self._heard = heard

    @override
    async def _call(self, method: str, path: str, *arguments: Any, **options: Any) -> Manifest:
        if method == "GET":
            return await super()._call(method, path, *arguments, **options)
        self.writes += 1
        if self.writes != self._last_write:
            return await super()._call(method, path, *arguments, **options)
        if self._heard:
            await super()._call(method, path, *arguments, **options)
        raise Killed


def live(cluster: Mortal, key: OwnerKey, defaults: Defaults = DEFAULTS) -> int:
    """Let an operator that knows nothing make one pass; return its writes."""

    async def whole() -> None:
        reconciler = Reconciler(
            cluster=cluster,
            watched=NothingWatched(),
            pods=FakePods(),
            defaults=defaults,
            clock=lambda: datetime.now(UTC).replace(microsecond=0),
            make_key=lambda: "k" * 43,
            report=lambda *_: None,
        )
        await reconciler.reconcile(key)

    try:
        with suppress(Killed):
            asyncio.run(whole())
    finally:
        cluster.close()
    return cluster.writes


def finish(api: client.ApiClient, key: OwnerKey, defaults: Defaults = DEFAULTS) -> None:
    """Let operators live until there is nothing left to write."""
    eventually(lambda: live(Mortal(api), key, defaults), lambda writes: writes == 0)


def children(api: client.ApiClient, key: OwnerKey) -> list[str]:
    """The kinds of a resource's children, each as often as it has one."""
    cluster = KubernetesCluster(api, lambda: datetime.now(UTC))

    async def everything() -> list[Manifest]:
        kinds = [kind for kind in CHILDREN if kind not in OPTIONAL]
        lists = [await cluster.list_labelled(kind, key.namespace, owner_labels(key.name)) for kind in kinds]
        return list(itertools.chain.from_iterable(lists))

    found = asyncio.run(everything())
    cluster.close()
    return sorted(each["kind"] for each in found if "deletionTimestamp" not in each["metadata"])
