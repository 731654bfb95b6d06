"""Where streams begin, and where somebody comes back for one."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final, NamedTuple

from whisper_inference.arrays import FloatArray
from whisper_inference.errors import StreamNotFound
from whisper_inference.security.tokens import kept_under, owner_tag
from whisper_inference.streaming.keeping import Keeper, parse_state, unpacked
from whisper_inference.streaming.protocol import FinalSegment, Resume, Start
from whisper_inference.streaming.session import SessionState
from whisper_inference.streaming.store import StreamStore

_TOKEN_BYTES: Final = 32


class Opening(NamedTuple):
    """A stream that begins, or goes on."""

    keeper: Keeper
    state: SessionState | None = None
    sound: FloatArray | None = None
    """What was kept of it."""
    place: bytes = b""
    """Where its client's bytes go on after that, if its samples do not tell."""
    missed: tuple[FinalSegment, ...] = ()
    """Segments that its client did not get."""


class Desk:
    """Where streams are kept: begins new ones, and finds those that somebody goes on with.

    Args:
        store: Keeps them.
        random_bytes: Makes resume tokens; of 256 bits, so that nobody guesses one.
        window: How long somebody can come back for a stream that was left.
    """

    def __init__(self, store: StreamStore, random_bytes: Callable[[int], bytes], window: timedelta) -> None:
        self.window = window
        self._store = store
        self._random_bytes = random_bytes

    def begin(self, owner: str, start: Start) -> tuple[str, Opening]:
        """Begin a stream; return the token that goes on with it."""
        token = self._random_bytes(_TOKEN_BYTES).hex()
        # The credential must not lie in the store.
        kept = start.model_copy(update={"token": None})
        return token, Opening(Keeper(self._store, kept_under(owner_tag(owner), token), kept, self.window))

    async def resume(self, owner: str, resume: Resume) -> tuple[str, Opening]:
        """Go on with a stream of the same owner.

        Raises:
            StreamNotFound: There is none.
            StoreUnavailable: It cannot be asked for.
        """
        token = resume.resume_token.get_secret_value()
        key = kept_under(owner_tag(owner), token)
        taken = await self._store.take(key, self.window)
        state = None if taken is None else parse_state(taken.state)
        if taken is None or state is None:
            raise StreamNotFound("There is no such stream to go on with: start another one.", param="resume_token")
        missed = tuple(segment for segment in state.finals if segment.id >= resume.finals)
        keeper = Keeper(self._store, key, state.start, self.window, taken.epoch, state.finals)
        samples, place = taken.sound
        return token, Opening(keeper, state.session, unpacked(samples), place, missed)
