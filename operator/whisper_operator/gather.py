"""Reading everything that one pass needs, once, before anything is decided."""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.credentials import credentials_name
from whisper_operator.children.names import Manifest, owner_labels, pool_name, serving_selector
from whisper_operator.cluster import Cluster
from whisper_operator.kinds import AUTOSCALER, CHILDREN, DEPLOYMENT, POD, SCALED_OBJECT, SECRET, Kind
from whisper_operator.watched import Watched


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is in the cluster."""

    children: Mapping[tuple[str, str], Manifest]
    """The owner's own objects, by kind and name."""
    pods: Sequence[Manifest]
    """The pods of all pools."""
    secret: Manifest | None
    """The Secret with the keys, whoever made it."""
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


async def gather(cluster: Cluster, watched: Watched, owner: WhisperDeployment) -> Gathered:
    """Read the owner's children, its pods and its keys; what the watches know is not asked for."""
    known = watched.objects_of(owner.metadata.namespace, owner.metadata.name)
    found = await _objects(cluster, known, owner)
    pods = [each for each in found if each["kind"] == POD.name]
    owned = [each for each in found if each["kind"] != POD.name and is_owned(each, owner)]
    children = {(each["kind"], each["metadata"]["name"]): each for each in owned}
    secret = children.get((SECRET.name, credentials_name(owner)))
    if secret is None:
        secret = await cluster.get(SECRET, owner.metadata.namespace, credentials_name(owner))
    return Gathered(children, pods, secret, asked=known is None)


async def _objects(cluster: Cluster, known: list[Manifest] | None, owner: WhisperDeployment) -> list[Manifest]:
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
