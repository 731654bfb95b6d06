"""What is written down of an act, and how it is asked for. Pure."""

import re
import secrets
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from whisper_inference.security.roles import Principal, Role

MOST_EVENTS_OF_A_PAGE: Final = 200
_LONGEST_TEXT: Final = 256
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]", re.IGNORECASE)


def _written_out(value: object) -> object:
    if isinstance(value, str) and not _DATE.match(value):
        raise ValueError("write a time with its zone, such as 2026-11-25T12:00:00Z")
    return value


Text: TypeAlias = Annotated[str, AfterValidator(lambda text: text[:_LONGEST_TEXT])]
"""Cut: what a client can make long must not be a reason to write nothing down."""
Moment: TypeAlias = Annotated[AwareDatetime, BeforeValidator(_written_out)]
"""As RFC 3339 writes it; a number of seconds, which Pydantic would take, too, is more likely a slip."""
EventId: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
"""Later events have greater ids: milliseconds since 1970, then chance."""


class Action(StrEnum):
    """What was done, or was tried. `ecs.py` says what kind of act each is."""

    LOGIN = "login"
    LOGOUT = "logout"
    SESSION_REFRESH = "session-refresh"
    SESSION_END = "session-end"
    """Sessions of an account were ended, one's own or, by an admin, another's."""
    STREAM_TOKEN = "stream-token"  # noqa: S105 - an act, not a token
    """A token for one stream was made."""
    AUTHENTICATION = "authentication"
    """A credential was refused."""
    AUTHORIZATION = "authorization"
    """A role was not enough."""
    RATE_LIMIT = "rate-limit"
    """A request was one too many."""
    CREDENTIALS_READ = "credentials-read"
    """Files with keys and accounts had changed."""
    TRANSCRIPTION = "transcription"
    HANDOVER = "handover"
    """Another replica did it, and has written it down with the same correlation id."""
    STREAM = "stream"
    """Live speech, over a WebSocket."""
    JOB_SUBMIT = "job-submit"
    JOB_RESULT = "job-result"
    """A job's text was read."""
    JOB_CANCEL = "job-cancel"
    CACHE_CLEAR = "cache-clear"
    AUDIT_READ = "audit-read"


class Outcome(StrEnum):
    """How it ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    UNKNOWN = "unknown"
    """Nobody waited for the end."""


class Actor(BaseModel):
    """Who did it."""

    model_config = ConfigDict(frozen=True)

    name: Text
    role: Role
    credential: Text
    """Which of the name's credentials: `owner`, `key:ID` or `account:NAME`; never the secret."""

    @classmethod
    def of(cls, principal: Principal) -> "Actor":
        """Take from a principal what is written down."""
        return cls(name=principal.name, role=principal.role, credential=principal.credential)


class Details(BaseModel):
    """What else may be written down; there is no field for anything that was said."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    subject: Text | None = None
    """The id of what it was done to, such as a job."""
    account: Text | None = None
    """That somebody tried to log in to, if there is one of that name, or whose sessions were ended."""
    model: Text | None = None
    audio_seconds: float | None = None


NOTHING_ELSE: Final = Details()


class AuditEvent(BaseModel):
    """An act."""

    model_config = ConfigDict(frozen=True)

    id: EventId
    time: AwareDatetime
    action: Action
    outcome: Outcome
    reason: Text | None = None
    """The error's code, where it failed."""
    actor: Actor | None = None
    """`None`: the server itself, or somebody whose credential was refused."""
    address: Text | None = None
    correlation_id: Text | None = None
    details: Details = NOTHING_ELSE
    repeated: int = 0
    """How many of the same kind before it were counted and not written down, so that nobody can flood the record."""

    @property
    def milliseconds(self) -> int:
        """When it was, since 1970."""
        return milliseconds(self.time)


class AuditQuery(BaseModel):
    """Which events are asked for: the newest first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: Moment | None = Field(None, description="Not before this time.")
    until: Moment | None = Field(None, description="Before this time.")
    action: Action | None = Field(None, description="Only this.")
    actor: str | None = Field(None, max_length=_LONGEST_TEXT, description="Only what was done by this name.")
    outcome: Outcome | None = Field(None, description="Only what ended so.")
    limit: int = Field(50, ge=1, le=MOST_EVENTS_OF_A_PAGE, description="At most this many.")
    cursor: EventId | None = Field(None, description="`next` of the page before.")

    def matches(self, event: AuditEvent) -> bool:
        """Say whether an event is asked for."""
        name = None if event.actor is None else event.actor.name
        wanted = ((self.action, event.action), (self.outcome, event.outcome), (self.actor, name))
        return (
            all(asked in {None, found} for asked, found in wanted)
            and (self.since is None or event.time >= self.since)
            and (self.until is None or event.time < self.until)
            and (self.cursor is None or event.id < self.cursor)
        )


class AuditPage(BaseModel):
    """A part of the record."""

    events: tuple[AuditEvent, ...]
    next: EventId | None = None
    """Asks for what is older; `None` at the end. A page may have fewer events than asked for, and still a next one."""


def milliseconds(time: datetime) -> int:
    """Return a time since 1970."""
    return int(time.timestamp() * 1000)


def make_id(time: datetime) -> str:
    """Make an event's id."""
    return f"{milliseconds(time):012x}{secrets.token_hex(10)}"


def time_of(identity: str) -> datetime:
    """Return when an event was, to the millisecond."""
    return datetime.fromtimestamp(int(identity[:12], 16) / 1000, UTC)
