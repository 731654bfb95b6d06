"""Notices a watch that tells nothing any more, although its connection looks alive."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from whisper_operator.children.names import Manifest
from whisper_operator.watched import Key

_PATIENCE: Final = timedelta(minutes=2)
"""A watch that breaks begins anew, later and later; then it tells of what it has missed."""


class WatchStuck(RuntimeError):
    """The watch has not told of a change for too long: only a new process can be trusted to hear."""


class Hearing:
    """Compares what a watch told of the resources with what lists of them say. Versions are opaque."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._heard: dict[Key, str] = {}
        self._unheard: dict[Key, tuple[str, datetime]] = {}
        """Versions that lists had and the watch did not tell of, and when they were first listed."""

    def hear(self, key: Key, owner: Manifest | None) -> None:
        """Take in what the watch told of a resource; `None` if it is gone."""
        self._heard.pop(key, None)
        if owner is not None:
            self._heard[key] = owner["metadata"]["resourceVersion"]

    def listed(self, versions: Mapping[Key, str]) -> None:
        """Take in what a list says of all resources.

        Raises:
            WatchStuck: A version that is still the newest was listed some minutes ago, and nobody told of it since.
        """
        now = self._clock()
        self._heard = {key: version for key, version in self._heard.items() if key in versions}
        unheard = {key: version for key, version in versions.items() if self._heard.get(key) != version}
        self._unheard = {key: self._first_listed(key, version, now) for key, version in unheard.items()}
        lost = sorted(key for key, (_, since) in self._unheard.items() if now - since >= _PATIENCE)
        if lost:
            raise WatchStuck(f"The watch did not tell of the newest version of {lost[:5]}.")

    def _first_listed(self, key: Key, version: str, now: datetime) -> tuple[str, datetime]:
        known = self._unheard.get(key)
        return known if known is not None and known[0] == version else (version, now)
