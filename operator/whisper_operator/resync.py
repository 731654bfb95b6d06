"""The periodic trigger: a watch can lose an event, and time alone changes what a reconcile decides."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from whisper_operator.cluster import Cluster
from whisper_operator.errors import ClusterError
from whisper_operator.hearing import Hearing
from whisper_operator.kinds import OWNER
from whisper_operator.reconcile import OwnerKey
from whisper_operator.watched import Key

logger = logging.getLogger(__name__)


async def resync(
    cluster: Cluster,
    namespaces: Sequence[str],
    trigger: Callable[[OwnerKey], None],
    hearing: Hearing,
    interval_seconds: float,
) -> None:
    """Trigger every resource now and after each interval, until cancelled.

    Raises:
        WatchStuck: The watch of the resources is not to be trusted any more.
    """
    while True:
        versions: dict[Key, str] | None = {}
        for namespace in namespaces or (None,):
            try:
                owners = await cluster.list_all(OWNER, namespace)
            except ClusterError as problem:
                logger.warning("The resources of %s cannot be listed: %s", namespace or "the cluster", problem)
                versions = None
                continue
            for metadata in (owner["metadata"] for owner in owners):
                key = OwnerKey(metadata["namespace"], metadata["name"])
                trigger(key)
                if versions is not None:
                    versions[key] = metadata["resourceVersion"]
        if versions is not None:
            hearing.listed(versions)
        await asyncio.sleep(interval_seconds)
