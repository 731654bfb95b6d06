"""Login sessions: who logged in, until when."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from whisper_inference.sessions.store import SessionId, SessionStore, StoredSession


class LoginSession(BaseModel):
    """What is kept of a login."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["login"] = "login"
    account: str
    fingerprint: str
    """Of the password that opened it: a changed password ends it."""
    created: AwareDatetime
    expires: AwareDatetime
    """However busy it is."""


class KnownSession(NamedTuple):
    """A session as its owner sees it."""

    key: SessionId
    login: LoginSession
    last_used: datetime
    idle_until: datetime
    """When it ends if nobody uses it."""


class LoginSessions:
    """Opens, finds and ends login sessions.

    Args:
        store: Where they are kept.
        clock: The time, with its zone.
        idle: How long a session lasts that nobody uses.
        absolute: How long it lasts at most.
    """

    def __init__(
        self, store: SessionStore, clock: Callable[[], datetime], *, idle: timedelta, absolute: timedelta
    ) -> None:
        self._store = store
        self._clock = clock
        self._idle, self._absolute = idle, absolute

    async def open(self, key: SessionId, account: str, fingerprint: str) -> LoginSession:
        """Keep a new session."""
        now = self._clock()
        session = LoginSession(account=account, fingerprint=fingerprint, created=now, expires=now + self._absolute)
        await self._keep(key, session)
        return session

    async def find(self, key: SessionId) -> LoginSession | None:
        """Find a session that has not ended; using it keeps it for longer."""
        session = _parsed(await self._store.read(key, self._idle))
        return session if session is not None and self._clock() < session.expires else None

    async def all_of(self, owner: str) -> list[KnownSession]:
        """Return an owner's sessions that have not ended, the oldest first; looking at them keeps none for longer."""
        now = self._clock()
        known = [_known(stored, now, self._idle) for stored in await self._store.all_of(owner)]
        live = [each for each in known if each is not None and now < each.login.expires]
        return sorted(live, key=lambda each: (each.login.created, each.key))

    async def move(self, before: SessionId, after: SessionId, session: LoginSession) -> None:
        """Give a session another key; its end stays."""
        await self._keep(after, session)
        await self._store.delete(before)

    async def end(self, key: SessionId) -> bool:
        """End a session; say whether there was one."""
        return await self._store.delete(key)

    async def end_all(self, owner: str) -> int:
        """End all sessions of an owner; return how many there were."""
        return await self._store.delete_all(owner)

    async def _keep(self, key: SessionId, session: LoginSession) -> None:
        left = session.expires - self._clock()
        await self._store.create(key, session.model_dump_json().encode(), self._idle, left)


def _parsed(value: bytes | None) -> LoginSession | None:
    """Return what is kept; what a version wrote otherwise is no session: its owner logs in again."""
    if value is None:
        return None
    try:
        return LoginSession.model_validate_json(value)
    except ValidationError:
        return None


def _known(stored: StoredSession, now: datetime, idle: timedelta) -> KnownSession | None:
    login = _parsed(stored.value)
    if login is None:
        return None
    until = min(now + stored.idle_left, login.expires)
    # A session's first idle time is cut at its end, so what is left of it does not tell when it was opened.
    used = min(max(now + stored.idle_left - idle, login.created), now)
    return KnownSession(stored.key, login, used, until)
