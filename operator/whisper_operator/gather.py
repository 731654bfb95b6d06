"""Reading everything that one pass needs, once, before anything is decided."""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.names import Manifest, owner_labels, pool_name, serving_selector
from whisper_operator.children.redis import redis_name
from whisper_operator.children.secrets import secret_names
from whisper_operator.cluster import Cluster
from whisper_operator.kinds import AUTOSCALER, CHILDREN, DEPLOYMENT, POD, SCALED_OBJECT, SECRET, STATEFUL_SET, Kind
from whisper_operator.watched import Watched


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is in the cluster."""

    children: Mapping[tuple[str, str], Manifest]
    """The owner's own objects, by kind and name."""
    pods: Sequence[Manifest]
    """The pods of all pools."""
    secrets: Mapping[str, Manifest]
    """Those that the resource uses and that are there, by name, whoever made them."""
    asked: bool
    """The cluster was asked, and not only the watches: as at each resync."""

    def child(self, kind: Kind, name: str) -> Manifest | None:
        """Find a child."""
        return self.children.get((kind.name, name))

    def deployment(self, owner: WhisperDeployment, pool: str) -> Manifest | None:
        """Find a pool's Deployment."""
        return self.child(DEPLOYMENT, pool_name(owner.metadata.name, pool))

    def autoscaler(self, owner: WhisperDeployment, pool: str) -> Manifest | None:
        """Find what scales a pool."""
        name = pool_name(owner.metadata.name, pool)
        return self.child(AUTOSCALER, name) or self.child(SCALED_OBJECT, name)

    def redis(self, owner: WhisperDeployment) -> Manifest | None:
        """Find the StatefulSet of a managed Redis."""
        return self.child(STATEFUL_SET, redis_name(owner))


async def gather(cluster: Cluster, watched: Watched, owner: WhisperDeployment) -> Gathered:
    """Read the owner's children, its pods and its keys; what the watches know is not asked for."""
    known = watched.objects_of(owner.metadata.namespace, owner.metadata.name)
    found = await _objects(cluster, known, owner)
    pods = [each for each in found if each["kind"] == POD.name]
    owned = [each for each in found if each["kind"] != POD.name and is_owned(each, owner)]
    children = {(each["kind"], each["metadata"]["name"]): each for each in owned}
    secrets = {name: await _secret(cluster, owner, children, name) for name in secret_names(owner)}
    there = {name: secret for name, secret in secrets.items() if secret is not None}
    return Gathered(children, pods, there, asked=known is None)


def _may_have_left_secrets(owner: WhisperDeployment) -> bool:
    """Say whether a change of the spec may have left Secrets that are not wanted any more; the watches know none.

    What an operator that died in between has left is found at the next resync.
    """
    return 0 < owner.status.observed_generation < owner.metadata.generation


async def _secret(
    cluster: Cluster, owner: WhisperDeployment, children: Mapping[tuple[str, str], Manifest], name: str
) -> Manifest | None:
    own = children.get((SECRET.name, name))
    return own or await cluster.get(SECRET, owner.metadata.namespace, name)


async def _objects(cluster: Cluster, known: list[Manifest] | None, owner: WhisperDeployment) -> list[Manifest]:
    if known is not None and not _may_have_left_secrets(owner):
        return known
    namespace, name = owner.metadata.namespace, owner.metadata.name
    # The watches know no Secrets.
    asked = [(kind, owner_labels(name)) for kind in (CHILDREN if known is None else (SECRET,))]
    if known is None:
        asked.append((POD, serving_selector(name)))
    lists = await asyncio.gather(*(cluster.list_labelled(kind, namespace, labels) for kind, labels in asked))
    return [*(known or ()), *itertools.chain.from_iterable(lists)]


def is_owned(manifest: Manifest, owner: WhisperDeployment) -> bool:
    """Say whether an object is this very owner's, and not that of an earlier one of the same name."""
    references = manifest["metadata"].get("ownerReferences", ())
    return any(reference["uid"] == owner.metadata.uid for reference in references)
