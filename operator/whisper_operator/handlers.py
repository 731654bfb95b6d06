"""The only kopf handlers: each says that a resource may have changed, and nothing else.

All are `on.event` handlers. kopf's create, update and resume keep their progress in annotations of the resource, and
its timers and daemons add finalizers; a pass that looks at everything needs neither.
"""

from collections.abc import Callable, Mapping
from typing import Any

import kopf

from whisper_operator.children.names import MANAGER
from whisper_operator.kinds import CHILDREN, OWNER, POD, SECRET, Kind
from whisper_operator.reconcile import OwnerKey


def make_registry(trigger: Callable[[OwnerKey], None]) -> kopf.OperatorRegistry:
    """Watch the resources, their children and their pods; call `trigger` for the resource that each belongs to."""
    registry = kopf.OperatorRegistry()

    async def login(**context: Any) -> kopf.ConnectionInfo | None:  # noqa: ANN401 - kopf's own words
        return kopf.login_with_service_account(**context) or kopf.login_with_kubeconfig(**context)

    async def owner_changed(*, namespace: str | None, name: str, **_: object) -> None:
        trigger(OwnerKey(namespace or "", name))

    async def child_changed(*, namespace: str | None, labels: Mapping[str, str], **_: object) -> None:
        owner = labels.get("app.kubernetes.io/instance")
        if owner is not None:
            trigger(OwnerKey(namespace or "", owner))

    kopf.on.login(registry=registry)(login)
    kopf.on.event(*_selector(OWNER), registry=registry)(owner_changed)
    ours = {"app.kubernetes.io/managed-by": MANAGER}
    # Secrets are left out: kopf filters after it has read, and would read every key of the cluster.
    for kind in (*(kind for kind in CHILDREN if kind is not SECRET), POD):
        kopf.on.event(*_selector(kind), labels=ours, registry=registry)(child_changed)
    return registry


def _selector(kind: Kind) -> tuple[str, str, str]:
    return kind.group, kind.api_version.rpartition("/")[2], kind.plural
