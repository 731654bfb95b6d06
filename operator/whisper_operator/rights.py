"""What the operator may do in a cluster: exactly what its code does. The chart's roles are made from this.

A test runs the operator under these rights alone, and compares them with what the API server saw it do.
"""

from typing import Final, NamedTuple

from whisper_operator.kinds import CHILDREN, EVENT, OWNER, POD, SECRET, Kind


class Right(NamedTuple):
    """Verbs on a resource, or on a subresource of it (https://kubernetes.io/docs/reference/access-authn-authz/rbac/)."""

    group: str
    resource: str
    verbs: tuple[str, ...]


_KEPT: Final = "ServiceAccount"
"""A child that every resource has as long as it lives: nobody but its owner's deletion takes it away."""


def _on_child(kind: Kind) -> Right:
    if kind is SECRET:
        # Made once, never overwritten.
        return Right(kind.group, kind.plural, ("get", "list", "watch", "create", "delete"))
    verbs = ("get", "list", "watch", "create", "patch", "delete")
    return Right(kind.group, kind.plural, verbs[:-1] if kind.name == _KEPT else verbs)


RIGHTS: Final = (
    Right(OWNER.group, OWNER.plural, ("get", "list", "watch")),
    Right(OWNER.group, f"{OWNER.plural}/status", ("patch",)),
    # Where the API server checks who may keep an owner from being deleted, as OpenShift's does.
    Right(OWNER.group, f"{OWNER.plural}/finalizers", ("update",)),
    Right(POD.group, POD.plural, ("list", "watch")),
    Right(EVENT.group, EVENT.plural, ("create",)),
    *(_on_child(kind) for kind in CHILDREN),
)
