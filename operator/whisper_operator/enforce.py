"""Writing: apply what is wanted and not there as wanted, and delete what is the owner's and not wanted any more."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.names import Manifest
from whisper_operator.children.secrets import secret_names
from whisper_operator.cluster import Cluster
from whisper_operator.errors import NotFound, Refused
from whisper_operator.fingerprint import is_current, stamped
from whisper_operator.gather import Gathered, is_owned
from whisper_operator.kinds import DEPLOYMENT, SECRET, STATEFUL_SET, Kind, kind_of


@dataclass(frozen=True, slots=True)
class Outcome:
    """What could not be applied."""

    conflicts: tuple[str, ...]
    """Objects of our names that are not ours."""
    refusals: tuple[str, ...]
    """What the API server said of children that it did not take."""
    missing: tuple[str, ...]
    """Kinds that this cluster does not have."""


async def enforce(
    cluster: Cluster,
    owner: WhisperDeployment,
    wanted: Iterable[Manifest],
    live: Gathered,
    *,
    held: Collection[Kind] = (),
) -> Outcome:
    """Bring the children to what is wanted; one that is refused does not keep the others from it.

    Children of the held kinds are left as they are, wanted or not.
    """
    manifests = [stamped(each) for each in wanted if kind_of(each) not in held]
    first, pods = _turns(manifests)
    problems = [*await _bring_all(cluster, owner, first, live), *await _bring_all(cluster, owner, pods, live)]
    kept = {(SECRET.name, name) for name in secret_names(owner)}
    kept |= {(each["kind"], each["metadata"]["name"]) for each in manifests}
    await _prune(cluster, live, kept, {kind.name for kind in held})
    return Outcome(*(tuple(text for kind, text in problems if kind is each) for each in _Problem))


class _Problem(Enum):
    """In the order of `Outcome`."""

    CONFLICT = auto()
    REFUSAL = auto()
    MISSING = auto()


def _turns(manifests: Sequence[Manifest]) -> tuple[list[Manifest], list[Manifest]]:
    """What pods mount and what guards them comes first, and is there before they are."""
    pods = [each for each in manifests if kind_of(each) in {DEPLOYMENT, STATEFUL_SET}]
    return [each for each in manifests if each not in pods], pods


async def _bring_all(
    cluster: Cluster, owner: WhisperDeployment, manifests: Sequence[Manifest], live: Gathered
) -> list[tuple[_Problem | None, str]]:
    """Bring them side by side; none is still under way when this ends, however it ends."""
    brought = await asyncio.gather(
        *(_bring(cluster, owner, manifest, live) for manifest in manifests), return_exceptions=True
    )
    done = []
    for each in brought:
        if isinstance(each, BaseException):
            raise each
        done.append(each)
    return done


async def _bring(
    cluster: Cluster, owner: WhisperDeployment, manifest: Manifest, live: Gathered
) -> tuple[_Problem | None, str]:
    kind, name = kind_of(manifest), manifest["metadata"]["name"]
    found = live.child(kind, name) or await cluster.get(kind, owner.metadata.namespace, name)
    if found is not None and not is_owned(found, owner):
        return _Problem.CONFLICT, f"{kind.name} {name}"
    try:
        await _apply(cluster, manifest, found)
    except Refused as problem:
        return _Problem.REFUSAL, f"{kind.name} {name} is refused: {problem}"
    except NotFound:
        return _Problem.MISSING, f"{kind.name} ({kind.api_version})"
    return None, ""


async def _apply(cluster: Cluster, manifest: Manifest, found: Manifest | None) -> None:
    if found is None or not is_current(manifest, found):
        await cluster.apply(manifest)


async def _prune(cluster: Cluster, live: Gathered, kept: Collection[tuple[str, str]], held: Collection[str]) -> None:
    for identity, manifest in live.children.items():
        if identity not in kept and identity[0] not in held:
            await cluster.delete(kind_of(manifest), manifest)
