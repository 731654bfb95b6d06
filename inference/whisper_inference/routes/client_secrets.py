"""OpenAI's client secrets: what a page opens conversations with, so that its visitors get no key."""

import time
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from whisper_contract.surface import CLIENT_SECRETS_PATH
from whisper_inference.audit.events import Action
from whisper_inference.dependencies import Loaded, Requires, State, audited
from whisper_inference.errors import ModelNotFound, NotFound, StoreUnavailable
from whisper_inference.realtime.sessions import Session, SessionIdentity, describe
from whisper_inference.realtime.understanding import with_model
from whisper_inference.routes.description import may_raise
from whisper_inference.routes.early_checks import ChecksFirst
from whisper_inference.routes.realtime import ask, new_id
from whisper_inference.security.client_secrets import LONGEST
from whisper_inference.security.roles import Principal, Role

_SHORTEST: Final = timedelta(seconds=10)
_USUAL: Final = timedelta(minutes=10)

Transcriber = Annotated[Principal, Depends(Requires(Role.TRANSCRIBER))]


class ExpiresAfter(BaseModel):
    """How long the secret opens conversations; one that is open goes on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    anchor: Literal["created_at"] = "created_at"
    seconds: int = Field(
        int(_USUAL.total_seconds()), ge=int(_SHORTEST.total_seconds()), le=int(LONGEST.total_seconds())
    )


class ClientSecretRequest(BaseModel):
    """What the secret is for."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "expires_after": {"anchor": "created_at", "seconds": 600},
                    "session": {
                        "type": "transcription",
                        "audio": {"input": {"transcription": {"model": "whisper-1", "language": "en"}}},
                    },
                }
            ]
        },
    )

    expires_after: ExpiresAfter = ExpiresAfter()
    session: Session = Session()


class ClientSecretResponse(BaseModel):
    """A secret, and the session that it opens."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "value": "ek_…",
                    "expires_at": 1795608000,
                    "session": {
                        "id": "sess_0f3c0f3c0f3c0f3c0f3c0f3c",
                        "object": "realtime.transcription_session",
                        "type": "transcription",
                        "audio": {"input": {"transcription": {"model": "whisper-1", "language": "en"}}},
                    },
                }
            ]
        }
    )

    value: str = Field(description="Good as a bearer token, or after `openai-insecure-api-key.` as a subprotocol.")
    expires_at: int = Field(description="Seconds since 1970.")
    session: dict[str, Any] = Field(description="As `session.created` will tell it.")


router = APIRouter(tags=["openai"], route_class=ChecksFirst)


@router.post(
    CLIENT_SECRETS_PATH,
    summary="Get a secret for conversations in a browser",
    dependencies=audited(Role.TRANSCRIBER, Action.STREAM_TOKEN),
    responses=may_raise(NotFound, ModelNotFound, StoreUnavailable),
)
async def create_client_secret(
    wanted: ClientSecretRequest, someone: Transcriber, services: Loaded, state: State
) -> ClientSecretResponse:
    """Get what a browser opens `/v1/realtime` with, and nothing else: often, until it expires.

    OpenAI's "Create client secret"; its session's fields are obeyed or refused by name.
    """
    session = with_model(wanted.session, wanted.session.input.transcription.model or services.model_name)
    ask(session, services)
    lifetime = timedelta(seconds=wanted.expires_after.seconds)
    made = await state.client_secrets.issue(someone, lifetime, session.model_dump_json())
    identity = SessionIdentity(id=new_id("sess"), expires_at=int(time.time() + services.streams.limits.longest))
    return ClientSecretResponse(
        value=made.token, expires_at=int(made.expires.timestamp()), session=describe(session, identity)
    )
