"""Names and labels of children: made here and nowhere else."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from whisper_operator.api.base import API_VERSION, KIND
from whisper_operator.api.resource import WhisperDeployment

Manifest: TypeAlias = dict[str, Any]

MANAGER: Final = "whisper-operator"
"""Field manager, and the value of the managed-by label."""
MANAGED_LABEL: Final = {"app.kubernetes.io/managed-by": MANAGER}
"""What every child has, whoever owns it."""

INSTANCE_LABEL: Final = "app.kubernetes.io/instance"
POOL_LABEL: Final = "whisperoperator.dev/pool"
_LONGEST: Final = 63
"""Characters of a DNS label (RFC 1123)."""
_HASH_CHARACTERS: Final = 6


def child_name(owner: str, part: str) -> str:
    """Name a child: readable, at most 63 characters, and different for every pair of owner and part."""
    return _name(owner, part, f"{owner}/{part}")


def pool_name(owner: str, pool: str) -> str:
    """Name a pool's children: different from every other child's, whatever the pool is called."""
    return _name(owner, pool, f"{owner}/pools/{pool}")


def _name(owner: str, part: str, identity: str) -> str:
    digest = hashlib.sha256(identity.encode()).hexdigest()[:_HASH_CHARACTERS]
    room = _LONGEST - len(digest) - 1
    return f"{f'{owner}-{part}'[:room].rstrip('-')}-{digest}"


def owner_labels(owner: str) -> dict[str, str]:
    """Return the labels that every child of an owner has, and by which they are found again."""
    return {
        "app.kubernetes.io/name": "whisper",
        INSTANCE_LABEL: owner,
        **MANAGED_LABEL,
    }


def serving_selector(owner: str) -> dict[str, str]:
    """Return the labels by which Services find the pods of all pools."""
    return {
        "app.kubernetes.io/name": "whisper",
        INSTANCE_LABEL: owner,
        "app.kubernetes.io/component": "inference",
    }


def pool_selector(owner: str, pool: str) -> dict[str, str]:
    """Return the labels of a pool's pods; they never change, because a Deployment's selector cannot."""
    return serving_selector(owner) | {POOL_LABEL: pool}


def label_selector(labels: Mapping[str, str]) -> str:
    """Write labels as a query for the objects that have them all."""
    return ",".join(f"{key}={value}" for key, value in labels.items())


def service_name(owner: str) -> str:
    """Return the name of the Service for all pools: the resource's own, because people type it."""
    return owner


def scheme(owner: WhisperDeployment) -> str:
    """Return what the server speaks; its ports are named after it."""
    return "http" if owner.spec.tls is None else "https"


def service_url(owner: WhisperDeployment) -> str:
    """Return where clients in the cluster reach the server."""
    return f"{scheme(owner)}://{service_name(owner.metadata.name)}.{owner.metadata.namespace}.svc"


def metadata(owner: WhisperDeployment, name: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
    """Return a child's metadata: the owner reference lets Kubernetes delete it with its owner."""
    return {
        "name": name,
        "namespace": owner.metadata.namespace,
        "labels": (labels or {}) | owner_labels(owner.metadata.name),
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": owner.metadata.name,
                "uid": owner.metadata.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
