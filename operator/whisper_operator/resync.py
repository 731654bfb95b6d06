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
    """Trigger every resource once in each interval, until cancelled.

    One after another over the whole interval: a thousand at once would keep the API server and everything else waiting.

    Raises:
        WatchStuck: The watch of the resources is not to be trusted any more.
    """
    while True:
        owners, complete = await _list(cluster, namespaces)
        if complete:
            hearing.listed(owners)
        for key in owners:
            await asyncio.sleep(interval_seconds / len(owners))
            trigger(OwnerKey(*key))
        if not owners:
            await asyncio.sleep(interval_seconds)


async def _list(cluster: Cluster, namespaces: Sequence[str]) -> tuple[dict[Key, str], bool]:
    """Return every resource with its version, and whether every namespace could be asked."""
    found, complete = dict[Key, str](), True
    for namespace in namespaces or (None,):
        try:
            listed = await cluster.list_all(OWNER, namespace)
        except ClusterError as problem:
            logger.warning("The resources of %s cannot be listed: %s", namespace or "the cluster", problem)
            complete = False
        else:
            metadata = (owner["metadata"] for owner in listed)
            found |= {(each["namespace"], each["name"]): each["resourceVersion"] for each in metadata}
    return found, complete
