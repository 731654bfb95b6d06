"""Triggers a resource when the Secret with its keys changes, whoever owns that Secret. Only metadata is read."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from pydantic import ValidationError

from whisper_operator.api.resource import parse
from whisper_operator.children.names import Manifest
from whisper_operator.children.secrets import secret_names
from whisper_operator.cluster import Cluster
from whisper_operator.errors import ClusterError
from whisper_operator.kinds import SECRET
from whisper_operator.reconcile import OwnerKey

logger = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 1.0
"""Between two watches; what changes meanwhile is found by the resync."""


class SecretUsers:
    """Which Secrets each resource uses, as the watch of the resources tells it."""

    def __init__(self) -> None:
        self._secrets: dict[OwnerKey, tuple[str, ...]] = {}

    def hear(self, key: OwnerKey, owner: Manifest | None) -> None:
        """Take in what the watch told of a resource; `None` if it is gone."""
        self._secrets.pop(key, None)
        if owner is not None:
            try:
                self._secrets[key] = secret_names(parse(owner))
            except ValidationError:
                return  # nothing is done for it until it changes

    def of(self, namespace: str, secret: str) -> list[OwnerKey]:
        """Return the resources that use a Secret."""
        return [key for key, names in self._secrets.items() if secret in names and key.namespace == namespace]


async def watch_secrets(
    cluster: Cluster, namespaces: Sequence[str], users: SecretUsers, trigger: Callable[[OwnerKey], None]
) -> None:
    """Watch until cancelled, in all namespaces if none is named."""
    await asyncio.gather(*(_watch(cluster, namespace, users, trigger) for namespace in namespaces or (None,)))


async def _watch(
    cluster: Cluster, namespace: str | None, users: SecretUsers, trigger: Callable[[OwnerKey], None]
) -> None:
    while True:
        try:
            async for metadata in cluster.watch_metadata(SECRET, namespace):
                for key in users.of(metadata["namespace"], metadata["name"]):
                    trigger(key)
        except ClusterError as problem:
            logger.warning("The Secrets of %s cannot be watched: %s", namespace or "the cluster", problem)
        await asyncio.sleep(_PAUSE_SECONDS)
