"""The only kopf handlers: each says that a resource may have changed, and nothing else.

All are `on.event` handlers. kopf's create, update and resume keep their progress in annotations of the resource, and
its timers and daemons add finalizers; a pass that looks at everything needs neither.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import kopf

from whisper_operator.children.names import INSTANCE_LABEL, MANAGED_LABEL, Manifest
from whisper_operator.kinds import CHILDREN, OWNER, POD, SECRET, Kind
from whisper_operator.reconcile import OwnerKey
from whisper_operator.watched import Key, pack


def make_registry(
    trigger: Callable[[OwnerKey], None],
    watched: Callable[[kopf.Index[Key, bytes]], None],
    hear: Sequence[Callable[[OwnerKey, Manifest | None], None]],
) -> kopf.OperatorRegistry:
    """Watch the resources, their children and their pods.

    Args:
        trigger: Called for the resource to which a change belongs.
        watched: Called, whenever something changes, with the children and pods by resource. kopf calls no handler
            before this index holds everything that was there when the watches began.
        hear: Called with each resource that its watch tells of; with `None` when it is gone.
    """
    registry = kopf.OperatorRegistry()

    async def login(**context: Any) -> kopf.ConnectionInfo | None:  # noqa: ANN401 - kopf's own words
        return kopf.login_with_service_account(**context) or kopf.login_with_kubeconfig(**context)

    async def owner_changed(*, namespace: str | None, name: str, **context: Any) -> None:  # noqa: ANN401 - as above
        key = OwnerKey(namespace or "", name)
        watched(context["objects"])
        owner = None if context["type"] == "DELETED" else dict(context["body"])
        for listener in hear:
            listener(key, owner)
        trigger(key)

    async def child_changed(*, namespace: str | None, labels: Mapping[str, str], **_: object) -> None:
        owner = labels.get(INSTANCE_LABEL)
        if owner is not None:
            trigger(OwnerKey(namespace or "", owner))

    kopf.on.login(registry=registry)(login)
    kopf.on.event(*_selector(OWNER), registry=registry)(owner_changed)
    # Secrets are left out: kopf filters after it has read, and would read every key of the cluster.
    for kind in (*(kind for kind in CHILDREN if kind is not SECRET), POD):
        kopf.index(*_selector(kind), id="objects", labels=MANAGED_LABEL, registry=registry)(_packed(kind))
        kopf.on.event(*_selector(kind), labels=MANAGED_LABEL, registry=registry)(child_changed)
    return registry


def _packed(kind: Kind) -> Callable[..., dict[Key, bytes]]:
    def objects(*, namespace: str | None, labels: Mapping[str, str], body: kopf.Body, **_: object) -> dict[Key, bytes]:
        return {(namespace or "", labels.get(INSTANCE_LABEL, "")): pack(kind.name, kind.api_version, dict(body))}

    return objects


def _selector(kind: Kind) -> tuple[str, str, str]:
    return kind.group, kind.api_version.rpartition("/")[2], kind.plural
