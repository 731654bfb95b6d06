"""A Deployment for each pool."""

from datetime import timedelta
from typing import Any, Final

from whisper_operator.api.pool import Pool
from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.names import Manifest, metadata, owner_labels, pool_name, pool_selector
from whisper_operator.children.pod import build_pod_spec
from whisper_operator.defaults import Defaults
from whisper_operator.devices import profile_of
from whisper_operator.plan import PlannedPool

_CREDENTIALS_ANNOTATION: Final = "whisperoperator.dev/credentials-checksum"

_MARGIN: Final = timedelta(minutes=5)
"""Pulling the image and fetching the model come before the device's own start."""


def build_deployment(
    owner: WhisperDeployment, planned: PlannedPool, defaults: Defaults, credentials_checksum: str
) -> Manifest:
    """Build a pool's Deployment; a changed checksum replaces its pods."""
    pool = planned.pool
    selector = pool_selector(owner.metadata.name, pool.name)
    annotations = dict(pool.pod_annotations) | {_CREDENTIALS_ANNOTATION: credentials_checksum}
    # A count that we stop asking for falls to 1 unless someone else owns it: so it is kept until the autoscaler does.
    count = {} if planned.handed_over else {"replicas": planned.replicas}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(owner, pool_name(owner.metadata.name, pool.name), selector),
        "spec": {
            **count,
            "selector": {"matchLabels": selector},
            "strategy": _strategy(pool),
            "progressDeadlineSeconds": int((profile_of(pool).startup + _MARGIN).total_seconds()),
            "revisionHistoryLimit": 3,
            "template": {
                "metadata": {"labels": owner_labels(owner.metadata.name) | selector, "annotations": annotations},
                "spec": build_pod_spec(owner, pool, defaults),
            },
        },
    }


def checksum_of(deployment: Manifest) -> str:
    """Return the checksum of the keys that a Deployment's pods have."""
    template = deployment["spec"]["template"]["metadata"]
    checksum: str = template.get("annotations", {}).get(_CREDENTIALS_ANNOTATION, "")
    return checksum


def _strategy(pool: Pool) -> dict[str, Any]:
    # A full device pool has no free device for one pod more, and would never roll.
    surge, unavailable = (1, 0) if pool.device == "cpu" else (0, 1)
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
