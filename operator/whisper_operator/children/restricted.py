"""What every pod keeps to: the restricted Pod Security Standard; and what its images are pulled with.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

_USER: Final = 65532
"""Who the images run as; no user of a node has this number."""

LOCKED: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
"""The `securityContext` of a container."""


def pod_security(groups: Sequence[int] = ()) -> dict[str, Any]:
    """Return the `securityContext` of a pod, in further groups where it needs a device's files."""
    context: dict[str, Any] = {
        "runAsNonRoot": True,
        "runAsUser": _USER,
        "runAsGroup": _USER,
        "fsGroup": _USER,
        # Changing the owner of every file of a large cache would delay each start.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return context | ({"supplementalGroups": list(groups)} if groups else {})


def pull_secrets(names: Iterable[str]) -> list[dict[str, str]]:
    """Return a pod's `imagePullSecrets`, each once: the node tries them in turn."""
    return [{"name": name} for name in dict.fromkeys(names)]
