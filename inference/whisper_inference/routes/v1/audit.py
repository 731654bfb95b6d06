"""Who did what: the record of this server, or, where a Redis is shared, of all replicas."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from whisper_contract.surface import API_PATH
from whisper_inference.audit.events import Action, AuditEvent, AuditQuery, Outcome
from whisper_inference.dependencies import State, audited
from whisper_inference.security.roles import Role

router = APIRouter(
    prefix=f"{API_PATH}/audit",
    tags=["audit"],
    dependencies=audited(Role.ADMIN, Action.AUDIT_READ),
)


class ActorResponse(BaseModel):
    """Who did it."""

    name: str
    role: Role
    credential: str = Field(description="Which of the name's credentials: owner, key:ID or account:NAME.")


class EventResponse(BaseModel):
    """An act; what is not known of it is null."""

    id: str
    time: datetime
    action: Action
    outcome: Outcome
    reason: str | None = Field(description="The code of the error.")
    actor: ActorResponse | None = Field(description="Null for the server itself, and for who was not let in.")
    address: str | None
    correlation_id: str | None
    subject: str | None = Field(description="The id of what it was done to.")
    account: str | None = Field(description="That somebody tried to log in to, or whose sessions were ended.")
    model: str | None
    audio_seconds: float | None
    repeated: int = Field(description="How many of the same kind before it were counted and not kept.")

    @classmethod
    def of(cls, event: AuditEvent) -> Self:
        """Describe an event."""
        fields = event.model_dump(exclude={"details"})
        return cls.model_validate(fields | event.details.model_dump())


class AuditResponse(BaseModel):
    """A page, the newest event first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "events": [
                        {
                            "id": "01a210e4992c2f2e525a8c799ac48681",
                            "time": "2026-11-25T04:09:06.604Z",
                            "action": "transcription",
                            "outcome": "success",
                            "reason": None,
                            "actor": {"name": "anna", "role": "transcriber", "credential": "account:anna"},
                            "address": "10.0.0.7",
                            "correlation_id": "8ff60525e4ab4a2da2680201495ec066",
                            "subject": None,
                            "account": None,
                            "model": "openai/whisper-base",
                            "audio_seconds": 5.475,
                            "repeated": 0,
                        }
                    ],
                    "next": "01a210e4992c2f2e525a8c799ac48681",
                }
            ]
        }
    )

    events: list[EventResponse]
    next: str | None = Field(
        description="Send it as `cursor` for older ones; null at the end. A page may be short, and still have a next."
    )


@router.get("", summary="Read the audit")
async def read_audit(query: Annotated[AuditQuery, Query()], state: State) -> AuditResponse:
    """Find who did what, by time, action, name and outcome. Reading is itself written down."""
    page = await state.audit.trail.query(query)
    return AuditResponse(events=[EventResponse.of(event) for event in page.events], next=page.next)
