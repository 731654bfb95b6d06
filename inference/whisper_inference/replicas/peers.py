"""`Peers`: what a replica knows of the others, a moment old, and whom it would ask."""

import random
from collections.abc import Callable, Collection, Sequence
from typing import Final

from whisper_inference.replicas.notices import Notice
from whisper_inference.transcription import Seconds

HEARD_FOR_SECONDS: Final = 3.0
"""How long a notice counts: a replica that dies is asked for at most this long."""


class Peers:
    """The other replicas of the group, as last heard.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], Seconds]) -> None:
        self._clock = clock
        self._notices: Sequence[Notice] = ()
        self._heard = clock()
        self._promised: dict[str, Seconds] = {}
        """By name: audio sent there since its notice, which does not show it yet."""

    @property
    def known(self) -> Sequence[Notice]:
        """All that were heard of lately."""
        return self._notices if self._clock() - self._heard <= HEARD_FOR_SECONDS else ()

    def hear(self, notices: Sequence[Notice]) -> None:
        """Take in what they say now."""
        self._notices, self._heard = notices, self._clock()
        self._promised.clear()

    def least_loaded(self, audio_seconds: Seconds, without: Collection[str]) -> Notice | None:
        """Return who would begin with so much audio first; `None` if nobody has room for it."""
        able = [
            peer
            for peer in self.known
            if peer.name not in without and peer.has_room(audio_seconds, self._promised.get(peer.name, 0.0))
        ]
        random.shuffle(able)  # of equals, not every full replica asks the same one
        return min(able, key=lambda peer: peer.wait(self._promised.get(peer.name, 0.0)), default=None)

    def roomiest(self) -> Notice | None:
        """Return who has room for the most streams; `None` if nobody has any."""
        return max((peer for peer in self.known if peer.free_streams), key=lambda peer: peer.free_streams, default=None)

    def promise(self, name: str, audio_seconds: Seconds) -> None:
        """Remember that a peer was sent so much."""
        self._promised[name] = self._promised.get(name, 0.0) + audio_seconds
