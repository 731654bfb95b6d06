"""The seam to Kubernetes: what the operator asks of a cluster."""

from collections.abc import AsyncIterator, Mapping
from typing import Literal, Protocol

from whisper_operator.children.names import Manifest
from whisper_operator.kinds import Kind


class Cluster(Protocol):
    """A cluster. Every method may raise `Unavailable`, and `Refused` where the API server does not take it."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Read one object; `None` if it is not there."""
        ...

    async def list_labelled(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Manifest]:
        """Read the objects that have all these labels: none, if the cluster does not have the kind."""
        ...

    async def list_all(self, kind: Kind, namespace: str | None) -> list[Manifest]:
        """Read every object of a kind, in one namespace or in all."""
        ...

    def watch_metadata(self, kind: Kind, namespace: str | None) -> AsyncIterator[Manifest]:
        """Yield the metadata of each object that changes from now on, until the API server ends the watch.

        The contents never leave the API server: so Secrets can be watched without being read.
        """
        ...

    async def apply(self, manifest: Manifest) -> Manifest:
        """Make the object so (server-side apply, forced, as one field manager); return what it is now.

        Raises:
            NotFound: The cluster does not have the kind.
        """
        ...

    async def create(self, manifest: Manifest) -> Manifest:
        """Make an object that is not there.

        Raises:
            AlreadyExists: It is.
        """
        ...

    async def delete(self, kind: Kind, manifest: Manifest) -> None:
        """Delete this very object, and not another that took its name since; one that is gone is fine."""
        ...

    async def write_status(self, kind: Kind, namespace: str, name: str, status: Manifest) -> None:
        """Change the status: what is `None` goes, what is not named stays; an owner that is gone is fine."""
        ...

    async def record_event(
        self, owner: Manifest, event: Literal["Normal", "Warning"], reason: str, message: str
    ) -> None:
        """Tell people, as `kubectl describe` shows it; what cannot be told is lost."""
        ...
