"""What a reconcile found in the cluster, as plain facts that the pure parts judge."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something is not well: a word for programs, a sentence for people that says what to do."""

    reason: str
    message: str


class Slots(NamedTuple):
    """Places of one pod or of several: how many are taken, and how many there are."""

    in_use: int
    total: int


class Busy(NamedTuple):
    """How busy pods are."""

    rows: Slots
    """Of the decoder batch."""
    streams: Slots
    """Live speech; how many there could be is what the pods measure."""


@dataclass(frozen=True, slots=True)
class ObservedPool:
    """A pool's Deployment and pods."""

    ready: int = 0
    rolling: bool = False
    """A new template is on its way while old pods answer: they still count."""
    trouble: Trouble | None = None
    replicas: int = 0
    """What its Deployment asks for now."""
    handed_over: bool = False
    """An autoscaler decides that count."""
    scaling: Trouble | None = None
    """Why its autoscaler does not work."""
    addresses: tuple[str, ...] = ()
    """Of its pods that are ready."""
    busy: Busy | None = None
    """What they said, if they were asked."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that is judged."""

    pools: Mapping[str, ObservedPool] = field(default_factory=dict)
    credentials: Trouble | None = None
    """Why the Secret cannot be used."""
    redis: Trouble | None = None
    """Why sessions cannot be kept where they should be."""
    tls: Trouble | None = None
    """Why the certificate cannot be used."""
    conflicts: tuple[str, ...] = ()
    """Objects of our names that are not ours, as `Kind name`."""
    refusals: tuple[str, ...] = ()
    """What the API server said of children that it did not take."""
    missing: tuple[str, ...] = ()
    """Kinds that are asked for, and that this cluster does not have."""
