"""`FakeCluster`: enough of an API server for passes, in memory. The same conformance tests run against the real one."""

import base64
import copy
import itertools
from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal, NamedTuple

from whisper_operator.children.names import Manifest
from whisper_operator.errors import AlreadyExists, ClusterError, NotFound
from whisper_operator.kinds import OWNER, POD, Kind, kind_of


class Write(NamedTuple):
    """A write that reached the cluster."""

    verb: str
    kind: str
    name: str


class FakeCluster:
    """Objects by kind, namespace and name."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Manifest] = {}
        self.writes: list[Write] = []
        self.events: list[tuple[str, str, str]] = []
        self.failures: dict[int, ClusterError] = {}
        """Errors to raise instead of a write, by its number from 0 on."""
        self.absent: set[str] = set()
        """Kinds that this cluster does not have."""
        self.changed: list[tuple[str, Manifest]] = []
        """Kind and metadata of what a watch has still to tell."""
        self._numbers = itertools.count(1)

    # For tests

    def put(self, manifest: Manifest) -> Manifest:
        """Let an object be there, whoever made it."""
        kind = manifest["kind"]
        number = next(self._numbers)
        metadata = {"namespace": "default", "generation": 1, "uid": f"uid-{number}"} | manifest["metadata"]
        metadata["resourceVersion"] = str(number)
        stored = copy.deepcopy(manifest | {"metadata": metadata})
        self.objects[kind, metadata["namespace"], metadata["name"]] = stored
        return stored

    def find(self, kind: str, name: str, namespace: str = "default") -> Manifest:
        """Return an object."""
        return self.objects[kind, namespace, name]

    def names(self, kind: str) -> list[str]:
        """Return the names of all objects of a kind."""
        return sorted(name for found, _, name in self.objects if found == kind)

    # The protocol

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Read one object."""
        return copy.deepcopy(self.objects.get((kind.name, namespace, name)))

    async def list_labelled(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Manifest]:
        """Read the objects that have all these labels."""
        found = await self.list_all(kind, namespace)
        return [each for each in found if labels.items() <= each["metadata"].get("labels", {}).items()]

    async def list_all(self, kind: Kind, namespace: str | None) -> list[Manifest]:
        """Read every object of a kind."""
        return [
            copy.deepcopy(each)
            for (name, space, _), each in self.objects.items()
            if name == kind.name and namespace in {None, space}
        ]

    async def watch_metadata(self, kind: Kind, namespace: str | None) -> AsyncIterator[Manifest]:
        """Yield what tests announce in `changed`, and end."""
        while self.changed:
            found, metadata = self.changed.pop(0)
            if found == kind.name and namespace in {None, metadata["namespace"]}:
                yield metadata

    async def apply(self, manifest: Manifest) -> Manifest:
        """Make the object so: fields that others set are kept, those that are no longer named go."""
        if manifest["kind"] in self.absent:
            raise NotFound(manifest["kind"])
        self._write("apply", manifest["kind"], manifest["metadata"]["name"])
        live = self.objects.get(self._key(manifest))
        if live is None:
            return self.put(manifest | {"applied": copy.deepcopy(manifest)})
        kept = _without(live, live.get("applied", {}))
        merged: Manifest = _merged(kept, manifest)
        merged["metadata"]["generation"] = live["metadata"]["generation"] + (live.get("spec") != merged.get("spec"))
        return self.put(merged | {"applied": copy.deepcopy(manifest)})

    async def create(self, manifest: Manifest) -> Manifest:
        """Make an object that is not there."""
        if self._key(manifest) in self.objects:
            raise AlreadyExists(manifest["metadata"]["name"])
        self._write("create", manifest["kind"], manifest["metadata"]["name"])
        return self.put(_encoded(manifest))

    async def delete(self, kind: Kind, manifest: Manifest) -> None:
        """Delete this very object."""
        self._write("delete", kind.name, manifest["metadata"]["name"])
        live = self.objects.get(self._key(manifest))
        if live is not None and live["metadata"]["uid"] == manifest["metadata"]["uid"]:
            del self.objects[self._key(manifest)]

    async def write_status(self, kind: Kind, namespace: str, name: str, status: Manifest) -> None:
        """Change the status."""
        self._write("status", kind.name, name)
        live = self.objects.get((kind.name, namespace, name))
        if live is not None:
            whole = live.get("status", {}) | status
            live["status"] = {key: value for key, value in whole.items() if value is not None}

    async def record_event(
        self, owner: Manifest, event: Literal["Normal", "Warning"], reason: str, message: str
    ) -> None:
        """Remember what was told."""
        del owner
        self.events.append((event, reason, message))

    def _write(self, verb: str, kind: str, name: str) -> None:
        failure = self.failures.pop(len(self.writes), None)
        if failure is not None:
            raise failure
        self.writes.append(Write(verb, kind, name))

    def _key(self, manifest: Manifest) -> tuple[str, str, str]:
        kind = OWNER if manifest["kind"] == OWNER.name else POD if manifest["kind"] == POD.name else kind_of(manifest)
        return kind.name, manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def _encoded(manifest: Manifest) -> Manifest:
    text = manifest.get("stringData", {})
    data = {key: base64.b64encode(value.encode()).decode() for key, value in text.items()}
    return {key: value for key, value in manifest.items() if key != "stringData"} | {"data": data}


def _merged(live: Any, wanted: Any) -> Any:  # noqa: ANN401 - any part of two manifests
    if not (isinstance(live, dict) and isinstance(wanted, dict)):
        return copy.deepcopy(wanted)
    return live | {key: _merged(live.get(key), value) for key, value in wanted.items()}


def _without(live: Any, applied: Any) -> Any:  # noqa: ANN401 - any part of two manifests
    """Leave out what was applied before: what is not applied again is gone."""
    kept = {}
    for key, value in live.items():
        if key not in applied:
            kept[key] = value
        elif isinstance(value, dict) and isinstance(applied[key], dict):
            kept[key] = _without(value, applied[key])
    return {key: value for key, value in kept.items() if value != {}}
