"""What the watches already know of a resource's children and pods, so that a pass need not ask for it again."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeAlias

from whisper_operator.children.names import Manifest

Key: TypeAlias = tuple[str, str]
"""Namespace and name of a resource."""

Index: TypeAlias = Mapping[Key, Iterable[bytes]]


class Watched(Protocol):
    """What is known without asking. It may lag: whoever acts on what is missing asks the cluster first."""

    def objects_of(self, namespace: str, name: str) -> list[Manifest] | None:
        """Return the children (Secrets left out) and pods of a resource; `None` while that is not known."""
        ...


class NothingWatched:
    """Knows nothing: every pass asks the cluster."""

    def objects_of(self, namespace: str, name: str) -> list[Manifest] | None:
        """Return `None`."""
        del namespace, name
        return None


class WatchedIndex:
    """Reads an index that the watches fill, once they have filled it."""

    def __init__(self) -> None:
        self._index: Index | None = None
        self._doubted: set[Key] = set()

    def attach(self, index: Index) -> None:
        """Use an index: from now on it is complete, but for what is on its way."""
        self._index = index

    def doubt(self, key: Key) -> None:
        """Know nothing of a resource the next time: a watch that begins anew does not hear of what went meanwhile."""
        self._doubted.add(key)

    def objects_of(self, namespace: str, name: str) -> list[Manifest] | None:
        """Return the children and pods of a resource; `None` before there is an index, or once it is doubted."""
        if self._index is None or (namespace, name) in self._doubted:
            self._doubted.discard((namespace, name))
            return None
        return [json.loads(packed) for packed in self._index.get((namespace, name), ())]


def pack(kind: str, api_version: str, body: Mapping[str, Any]) -> bytes:
    """Pack an object for an index: as bytes it takes a tenth of the memory.

    Of `managedFields` only that is kept which says whether an autoscaler decides a count.
    """
    scaled = [entry for entry in body["metadata"].get("managedFields", ()) if entry.get("subresource") == "scale"]
    metadata = {**body["metadata"], "managedFields": scaled}
    return json.dumps({**body, "kind": kind, "apiVersion": api_version, "metadata": metadata}).encode()
