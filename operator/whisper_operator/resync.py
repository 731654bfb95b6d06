"""The periodic trigger: a watch can lose an event, and time alone changes what a reconcile decides."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from whisper_operator.cluster import Cluster
from whisper_operator.errors import ClusterError
from whisper_operator.kinds import OWNER
from whisper_operator.reconcile import OwnerKey

logger = logging.getLogger(__name__)


async def resync(
    cluster: Cluster, namespaces: Sequence[str], trigger: Callable[[OwnerKey], None], interval_seconds: float
) -> None:
    """Trigger every resource now and after each interval, until cancelled."""
    while True:
        for namespace in namespaces or (None,):
            try:
                owners = await cluster.list_all(OWNER, namespace)
            except ClusterError as problem:
                logger.warning("The resources of %s cannot be listed: %s", namespace or "the cluster", problem)
                continue
            for owner in owners:
                trigger(OwnerKey(owner["metadata"]["namespace"], owner["metadata"]["name"]))
        await asyncio.sleep(interval_seconds)
