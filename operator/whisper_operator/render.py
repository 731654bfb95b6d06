"""The manifests that a first pass would apply, without a cluster. Pure."""

from datetime import datetime

from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.build import Checksums, build_children
from whisper_operator.children.names import Manifest
from whisper_operator.defaults import Defaults
from whisper_operator.plan import plan_pools


def render_children(owner: WhisperDeployment, defaults: Defaults, now: datetime) -> tuple[Manifest, ...]:
    """Build the children as they are when the resource is new and its keys are not known.

    What only a cluster gives is left out: the owner reference needs the resource's uid.
    """
    plan = plan_pools(owner.spec, {}, (), now)
    checksums = Checksums({pool.name: "unknown" for pool in owner.spec.pools}, "unknown")
    return tuple(_without_owner(child) for child in build_children(owner, plan, defaults, checksums))


def _without_owner(child: Manifest) -> Manifest:
    metadata = {key: value for key, value in child["metadata"].items() if key != "ownerReferences"}
    return child | {"metadata": metadata}
