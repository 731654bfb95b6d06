"""Writing: apply what is wanted and not there as wanted, and delete what is the owner's and not wanted any more."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.credentials import credentials_name
from whisper_operator.children.names import Manifest
from whisper_operator.cluster import Cluster
from whisper_operator.errors import NotFound, Refused
from whisper_operator.fingerprint import is_current, stamped
from whisper_operator.gather import Gathered, is_owned
from whisper_operator.kinds import SECRET, kind_of


@dataclass(frozen=True, slots=True)
class Outcome:
    """What could not be applied."""

    conflicts: tuple[str, ...]
    """Objects of our names that are not ours."""
    refusals: tuple[str, ...]
    """What the API server said of children that it did not take."""
    missing: tuple[str, ...]
    """Kinds that this cluster does not have."""


async def enforce(cluster: Cluster, owner: WhisperDeployment, wanted: Iterable[Manifest], live: Gathered) -> Outcome:
    """Bring the children to what is wanted; one that is refused does not keep the others from it."""
    conflicts: list[str] = []
    refusals: list[str] = []
    missing: list[str] = []
    kept = {(SECRET.name, credentials_name(owner))}
    for manifest in map(stamped, wanted):
        kind, name = kind_of(manifest), manifest["metadata"]["name"]
        kept.add((kind.name, name))
        found = live.child(kind, name) or await cluster.get(kind, owner.metadata.namespace, name)
        if found is not None and not is_owned(found, owner):
            conflicts.append(f"{kind.name} {name}")
            continue
        try:
            await _apply(cluster, manifest, found)
        except Refused as problem:
            refusals.append(f"{kind.name} {name} is refused: {problem}")
        except NotFound:
            missing.append(f"{kind.name} ({kind.api_version})")
    await _prune(cluster, live, kept)
    return Outcome(tuple(conflicts), tuple(refusals), tuple(missing))


async def _apply(cluster: Cluster, manifest: Manifest, found: Manifest | None) -> None:
    if found is None or not is_current(manifest, found):
        await cluster.apply(manifest)


async def _prune(cluster: Cluster, live: Gathered, kept: Collection[tuple[str, str]]) -> None:
    for identity, manifest in live.children.items():
        if identity not in kept:
            await cluster.delete(kind_of(manifest), manifest)
