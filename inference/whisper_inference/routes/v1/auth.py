"""Logging in and out. API keys need neither."""

from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from whisper_contract.surface import API_PATH
from whisper_inference.audit.events import Action
from whisper_inference.auditing import Auditing
from whisper_inference.dependencies import Limited, Requires, State, audited
from whisper_inference.errors import InvalidRequest, StoreUnavailable, TooManyAttempts, Unauthenticated
from whisper_inference.routes.description import may_raise
from whisper_inference.routes.early_checks import ChecksFirst
from whisper_inference.routes.v1.requests import RequestModel
from whisper_inference.security.passwords import LONGEST_PASSWORD
from whisper_inference.security.rate_limits import RateClass
from whisper_inference.security.roles import Principal, Role
from whisper_inference.sessions.login import LoginSession

_LONGEST_NAME: Final = 64

Someone = Annotated[Principal, Depends(Requires(Role.VIEWER))]
"""Anyone with a credential."""

Everywhere = Annotated[bool, Query(description="End all sessions of the account.")]

router = APIRouter(prefix=f"{API_PATH}/auth", tags=["auth"], route_class=ChecksFirst)


class LoginRequest(RequestModel):
    """Who wants to log in."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"username": "anna", "password": "a long passphrase"}]})

    username: str = Field(min_length=1, max_length=_LONGEST_NAME)
    password: SecretStr = Field(min_length=1, max_length=LONGEST_PASSWORD)


class SessionResponse(BaseModel):
    """A session; its token is a bearer token like an API key."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"token": "wst_…", "token_type": "bearer", "expires_at": "2026-11-24T20:00:00Z"}]
        }
    )

    token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a kind of token
    expires_at: datetime
    """However busy it is; an idle one ends earlier."""


class MeResponse(BaseModel):
    """Whose credential this is."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "newsroom", "role": "transcriber", "expires_at": None}]}
    )

    name: str
    role: Role
    expires_at: datetime | None
    """When the session ends; `None` for an API key."""
    outdated_passwords: list[str] | None = None
    """For admins: accounts whose password was hashed at another cost than the settings ask for."""


@router.post(
    "/login",
    dependencies=[Depends(Limited(RateClass.LOGINS))],
    responses=may_raise(Unauthenticated, TooManyAttempts, StoreUnavailable),
)
async def log_in(login: LoginRequest, response: Response, state: State, audit: Auditing) -> SessionResponse:
    """Open a session with a name and a password."""
    password = login.password.get_secret_value()
    account = state.authenticator.find_account(login.username)
    with audit.watching(Action.LOGIN) as act:
        # A name that nobody has may be a password in the wrong field.
        act.note(account=None if account is None else account.name)
        opened = await state.authenticator.log_in(login.username, password, audit.address)
        audit.principal = account
    return _session(opened, response)


@router.post("/refresh", dependencies=audited(Role.VIEWER, Action.SESSION_REFRESH), responses=may_raise(InvalidRequest))
async def refresh(someone: Someone, response: Response, state: State) -> SessionResponse:
    """Give the session another token; this one is good no more."""
    return _session(await state.authenticator.renew(someone), response)


@router.post(
    "/logout", status_code=204, dependencies=audited(Role.VIEWER, Action.LOGOUT), responses=may_raise(InvalidRequest)
)
async def log_out(someone: Someone, state: State, *, everywhere: Everywhere = False) -> None:
    """End the session, or, with `everywhere`, all sessions of its account."""
    await state.authenticator.log_out(someone, everywhere=everywhere)


@router.get("/me")
async def me(someone: Someone, state: State) -> MeResponse:
    """Say whose credential this is, and what it is good for."""
    expires = None if someone.session is None else someone.session.login.expires
    outdated = sorted(state.authenticator.outdated) if someone.role is Role.ADMIN else None
    return MeResponse(name=someone.name, role=someone.role, expires_at=expires, outdated_passwords=outdated)


def _session(opened: tuple[str, LoginSession], response: Response) -> SessionResponse:
    token, session = opened
    response.headers["Cache-Control"] = "no-store"
    return SessionResponse(token=token, expires_at=session.expires)
