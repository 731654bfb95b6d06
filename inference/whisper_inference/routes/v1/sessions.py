"""Who is logged in, and ending that; and tokens with which a browser opens a stream."""

from datetime import datetime
from typing import Annotated, Final, Literal, Self

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from whisper_contract.surface import API_PATH
from whisper_inference.audit.events import Action
from whisper_inference.auditing import Auditing
from whisper_inference.dependencies import Requires, State, audited
from whisper_inference.errors import Forbidden, InvalidRequest, NotFound, StoreUnavailable
from whisper_inference.routes.description import may_raise
from whisper_inference.security.roles import Principal, Role
from whisper_inference.security.session_register import SessionRegister, public_id
from whisper_inference.sessions.login import KnownSession

Someone = Annotated[Principal, Depends(Requires(Role.VIEWER))]
Transcriber = Annotated[Principal, Depends(Requires(Role.TRANSCRIBER))]
Account = Annotated[
    str | None, Query(max_length=64, description="Whose; by default one's own. Others' are for admins.")
]
SessionName = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="As the list calls it.")]


class SessionListed(BaseModel):
    """A login session, without its token."""

    id: str
    account: str
    created_at: datetime
    expires_at: datetime = Field(description="However busy it is.")
    last_used_at: datetime
    idle_until: datetime = Field(description="When it ends if nobody uses it.")
    current: bool = Field(description="It is the one that asks.")

    @classmethod
    def of(cls, session: KnownSession, someone: Principal) -> Self:
        """Describe a session to someone."""
        return cls(
            id=public_id(session),
            account=session.login.account,
            created_at=session.login.created,
            expires_at=session.login.expires,
            last_used_at=session.last_used,
            idle_until=session.idle_until,
            current=someone.session is not None and someone.session.key == session.key,
        )


class SessionsResponse(BaseModel):
    """The sessions of an account."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sessions": [
                        {
                            "id": "0f3c" * 8,
                            "account": "anna",
                            "created_at": "2026-11-25T12:00:00Z",
                            "expires_at": "2026-11-25T20:00:00Z",
                            "last_used_at": "2026-11-25T12:30:00Z",
                            "idle_until": "2026-11-25T12:45:00Z",
                            "current": True,
                        }
                    ]
                }
            ]
        }
    )

    sessions: list[SessionListed]


class EndedResponse(BaseModel):
    """What was ended."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ended": 2}]})

    ended: int


class StreamTokenResponse(BaseModel):
    """What a browser opens a WebSocket with; good once, and nowhere else."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"token": "wss_…", "token_type": "stream", "expires_at": "2026-11-25T12:01:00Z"}]
        }
    )

    token: str
    token_type: Literal["stream"] = "stream"  # noqa: S105 - a kind of token
    expires_at: datetime


_REFUSALS: Final = (Forbidden, InvalidRequest, StoreUnavailable)

router = APIRouter(prefix=API_PATH, tags=["sessions"])


@router.get("/sessions", summary="List login sessions", responses=may_raise(*_REFUSALS))
async def list_sessions(someone: Someone, state: State, account: Account = None) -> SessionsResponse:
    """List one's own sessions, the oldest first; an admin may name another account."""
    known = await SessionRegister(state.authenticator).list_for(someone, account)
    return SessionsResponse(sessions=[SessionListed.of(each, someone) for each in known])


@router.delete(
    "/sessions",
    summary="End all sessions of an account",
    dependencies=audited(Role.VIEWER, Action.SESSION_END),
    responses=may_raise(*_REFUSALS),
)
async def end_sessions(someone: Someone, state: State, audit: Auditing, account: Account = None) -> EndedResponse:
    """End all one's own sessions, this one too; an admin may name another account."""
    audit.note(account=account)
    return EndedResponse(ended=await SessionRegister(state.authenticator).end_all(someone, account))


@router.delete(
    "/sessions/{identity}",
    summary="End a session",
    status_code=204,
    dependencies=audited(Role.VIEWER, Action.SESSION_END),
    responses=may_raise(*_REFUSALS, NotFound),
)
async def end_session(
    identity: SessionName, someone: Someone, state: State, audit: Auditing, account: Account = None
) -> None:
    """End one session of one's own; an admin may name another account."""
    audit.note(account=account, subject=identity)
    await SessionRegister(state.authenticator).end(someone, identity, account)


@router.post(
    "/stream-tokens",
    summary="Get a token for one stream",
    status_code=201,
    dependencies=audited(Role.TRANSCRIBER, Action.STREAM_TOKEN),
    responses=may_raise(NotFound, StoreUnavailable),
)
async def issue_stream_token(someone: Transcriber, state: State) -> StreamTokenResponse:
    """Get a token for a browser, which can send no header with a WebSocket; it is good once and for a short time."""
    made = await state.stream_tokens.issue(someone)
    return StreamTokenResponse(token=made.token, expires_at=made.expires)
