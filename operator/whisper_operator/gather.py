"""Reading everything that one pass needs, once, before anything is decided."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.credentials import credentials_name
from whisper_operator.children.names import Manifest, owner_labels, pool_name, serving_selector
from whisper_operator.cluster import Cluster
from whisper_operator.kinds import CHILDREN, DEPLOYMENT, POD, SECRET, Kind
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

    def child(self, kind: Kind, name: str) -> Manifest | None:
        """Find a child."""
        return self.children.get((kind.name, name))

    def deployment(self, owner: WhisperDeployment, pool: str) -> Manifest | None:
        """Find a pool's Deployment."""
        return self.child(DEPLOYMENT, pool_name(owner.metadata.name, pool))


async def gather(cluster: Cluster, watched: Watched, owner: WhisperDeployment) -> Gathered:
    """Read the owner's children, its pods and its keys; what the watches know is not asked for."""
    namespace, name = owner.metadata.namespace, owner.metadata.name
    known = watched.objects_of(namespace, name)
    asked = CHILDREN if known is None else (SECRET,)
    lists = [cluster.list_labelled(kind, namespace, owner_labels(name)) for kind in asked]
    if known is None:
        lists.append(cluster.list_labelled(POD, namespace, serving_selector(name)))
    found = [*(known or ()), *(each for listed in await asyncio.gather(*lists) for each in listed)]
    pods = [each for each in found if each["kind"] == POD.name]
    children = {
        (each["kind"], each["metadata"]["name"]): each
        for each in found
        if each["kind"] != POD.name and is_owned(each, owner)
    }
    secret = children.get((SECRET.name, credentials_name(owner)))
    return Gathered(children, pods, secret or await cluster.get(SECRET, namespace, credentials_name(owner)))


def is_owned(manifest: Manifest, owner: WhisperDeployment) -> bool:
    """Say whether an object is this very owner's, and not that of an earlier one of the same name."""
    references = manifest["metadata"].get("ownerReferences", ())
    return any(reference["uid"] == owner.metadata.uid for reference in references)
