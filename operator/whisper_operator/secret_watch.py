"""Triggers a resource when the Secret with its keys changes, whoever owns that Secret. Only metadata is read."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from pydantic import ValidationError

from whisper_operator.api.resource import parse
from whisper_operator.children.credentials import credentials_name
from whisper_operator.children.names import Manifest
from whisper_operator.cluster import Cluster
from whisper_operator.errors import ClusterError
from whisper_operator.kinds import OWNER, SECRET
from whisper_operator.reconcile import OwnerKey

logger = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 1.0
"""Between two watches; what changes meanwhile is found by the resync."""


async def watch_secrets(cluster: Cluster, namespaces: Sequence[str], trigger: Callable[[OwnerKey], None]) -> None:
    """Watch until cancelled, in all namespaces if none is named."""
    await asyncio.gather(*(_watch(cluster, namespace, trigger) for namespace in namespaces or (None,)))


async def _watch(cluster: Cluster, namespace: str | None, trigger: Callable[[OwnerKey], None]) -> None:
    while True:
        try:
            async for metadata in cluster.watch_metadata(SECRET, namespace):
                for owner in await cluster.list_all(OWNER, metadata["namespace"]):
                    if _uses(owner, metadata["name"]):
                        trigger(OwnerKey(metadata["namespace"], owner["metadata"]["name"]))
        except ClusterError as problem:
            logger.warning("The Secrets of %s cannot be watched: %s", namespace or "the cluster", problem)
        await asyncio.sleep(_PAUSE_SECONDS)


def _uses(owner: Manifest, secret: str) -> bool:
    try:
        return credentials_name(parse(owner)) == secret
    except ValidationError:
        return False
