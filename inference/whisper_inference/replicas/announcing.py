"""Saying every moment how much this replica has to do, and hearing it of the others."""

import asyncio
import math
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from importlib.metadata import version
from typing import Final, NamedTuple

from whisper_inference.errors import StoreUnavailable
from whisper_inference.replicas.board import Board
from whisper_inference.replicas.notices import GroupKey, Notice
from whisper_inference.replicas.peers import HEARD_FOR_SECONDS, Peers
from whisper_inference.transcription import Seconds

_LASTING: Final = timedelta(seconds=HEARD_FOR_SECONDS)
_LOOK_SECONDS: Final = 0.05
_EVERY_SECONDS: Final = 0.5
_FRESH_SECONDS: Final = 0.1
"""What was heard so lately is not asked for again: many who find no room at once ask once."""
_USUAL_REQUEST: Final[Seconds] = 30.0
"""Who has room for so much, and had none, says it at once."""


class Load(NamedTuple):
    """What a replica that takes requests has to do."""

    model: str
    pending: Seconds
    capacity: Seconds
    real_time_factor: float
    free_streams: int


class Announcer:
    """Puts up this replica's notices, and takes in the others'.

    Args:
        board: Where.
        url: Where the others reach this replica.
        load: Its load of the moment; `None` while it takes no requests.
        key: The group's key of the moment; `None` where nothing is shared.
        peers: Hears of the others.
    """

    def __init__(
        self,
        board: Board,
        url: str,
        load: Callable[[], Load | None],
        key: Callable[[], GroupKey | None],
        peers: Peers,
    ) -> None:
        self._board, self._url, self._load, self._key, self._peers = board, url, load, key, peers
        self._name = uuid.uuid4().hex
        self._group: str | None = None
        """Where its notice is."""
        self._exchanged = -math.inf
        self._has_room = False
        """As last said."""
        self._one_at_a_time = asyncio.Lock()

    async def run(self, tell: Callable[[int], None]) -> None:
        """Go on until cancelled; then take the notice down.

        Args:
            tell: Called with how many others there are.
        """
        try:
            while True:
                silent = time.monotonic() - self._exchanged
                if silent >= _EVERY_SECONDS or _room(self._load()) > self._has_room or self._leaves():
                    await self.exchange()
                    tell(len(self._peers.known))
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            await self._withdraw()

    async def refresh(self) -> None:
        """Hear of the others now, unless that was a moment ago."""
        async with self._one_at_a_time:
            fresh = time.monotonic() - self._exchanged < _FRESH_SECONDS
        if not fresh:
            await self.exchange()

    async def exchange(self) -> None:
        """Say how this replica stands, and hear how the others do; Redis may be away."""
        async with self._one_at_a_time:
            self._exchanged = time.monotonic()
            load, key = self._load(), self._key()
            self._has_room = _room(load)
            if load is None or key is None:
                await self._withdraw()
                self._peers.hear(())
                return
            # A replica of another version may not know a field that this one does.
            self._group = key.group(version("whisper-operator"), load.model)
            sealed = key.seal(self._notice(load))
            try:
                found = await self._board.exchange(self._group, self._name, sealed, _LASTING)
            except StoreUnavailable:
                return  # the link has said so; what was heard is forgotten by itself
            self._peers.hear(_opened(found, key))

    def _leaves(self) -> bool:
        return self._group is not None and self._load() is None

    def _notice(self, load: Load) -> Notice:
        return Notice(
            name=self._name,
            url=self._url,
            pending=max(0.0, load.pending),
            capacity=load.capacity,
            real_time_factor=load.real_time_factor,
            free_streams=load.free_streams,
            sent=time.time(),
        )

    async def _withdraw(self) -> None:
        group, self._group = self._group, None
        if group is None:
            return
        with suppress(StoreUnavailable):  # it ends by itself
            await self._board.withdraw(group, self._name)


def _room(load: Load | None) -> bool:
    return load is not None and (load.pending <= 0 or load.pending + _USUAL_REQUEST <= load.capacity)


def _opened(found: list[bytes], key: GroupKey) -> tuple[Notice, ...]:
    now = time.time()
    return tuple(notice for sealed in found if (notice := key.open(sealed, now)) is not None)
