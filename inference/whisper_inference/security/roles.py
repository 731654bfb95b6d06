"""Who somebody is, once a credential has told, and what that lets them do."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from whisper_inference.quotas.quota import NO_QUOTA, Consumer, Quota
from whisper_inference.sessions.login import LoginSession
from whisper_inference.sessions.store import SessionId


class Role(StrEnum):
    """What a credential is good for; each role may do all that the ones before it may."""

    VIEWER = "viewer"
    """Looks: models and their state."""
    TRANSCRIBER = "transcriber"
    """Sends audio."""
    ADMIN = "admin"
    """Everything."""

    def includes(self, needed: "Role") -> bool:
        """Say whether whoever has this role may do what needs the other."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


class OpenSession(NamedTuple):
    """A login session, and where it is kept."""

    key: SessionId
    login: LoginSession


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sends a request."""

    name: str
    role: Role
    credential: str
    """Which of the name's credentials this is, for counting."""
    session: OpenSession | None = None
    """What a login opened; an API key opens none."""
    quota: Quota = NO_QUOTA

    @property
    def consumer(self) -> Consumer:
        """As whose what it uses is counted."""
        return Consumer(self.credential, self.quota)
