"""The device that serves, those that were passed over and why, and how busy it is."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from whisper_contract.surface import API_PATH
from whisper_inference.dependencies import Loaded, Requires
from whisper_inference.engines.base import Device, EngineName
from whisper_inference.routes.v1.transcript_response import SERVED_BY_EXAMPLE, ServedBy
from whisper_inference.security.roles import Principal, Role


class Tried(BaseModel):
    """A device that was tried when the server started, in order of preference."""

    device: Device
    engine: EngineName
    serves: bool
    reason: str | None = Field(
        description="Why it was passed over. Told to admins alone: it may name what is installed on the server."
    )


class Slots(BaseModel):
    """Rows of the decoder batch: how many sequences decode at once."""

    total: int
    in_use: int


class Queue(BaseModel):
    """What waits."""

    windows: int = Field(description="Windows of 30 s that wait for slots.")
    audio_seconds: float = Field(description="Audio that was taken and is not yet transcribed.")
    max_audio_seconds: float = Field(description="Beyond it, requests get 429.")


class DevicesResponse(BaseModel):
    """Where this server computes. Servers behind one address may answer differently."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "serving": SERVED_BY_EXAMPLE,
                    "tried": [{"device": "npu", "engine": "openvino", "serves": True, "reason": None}],
                    "slots": {"total": 8, "in_use": 3},
                    "queue": {"windows": 2, "audio_seconds": 48.5, "max_audio_seconds": 1800},
                }
            ]
        }
    )

    serving: ServedBy
    tried: list[Tried]
    slots: Slots
    queue: Queue


router = APIRouter(
    prefix=f"{API_PATH}/devices",
    tags=["models"],
    dependencies=[Depends(Requires(Role.VIEWER))],
)


@router.get("", summary="Say where this server computes, and how busy it is")
async def list_devices(
    services: Loaded, someone: Annotated[Principal, Depends(Requires(Role.VIEWER))]
) -> DevicesResponse:
    """Name the device that serves, the devices that were tried before it, the slots in use and the queue."""
    scheduler = services.scheduler
    tells = someone.role is Role.ADMIN
    return DevicesResponse(
        serving=ServedBy.of(services.model_name, scheduler.capabilities),
        tried=[
            Tried(
                device=attempt.device,
                engine=attempt.engine,
                serves=attempt.problem is None,
                reason=attempt.problem if tells else None,
            )
            for attempt in services.attempts
        ],
        slots=Slots(total=scheduler.capabilities.max_rows, in_use=scheduler.slots_in_use),
        queue=Queue(
            windows=scheduler.waiting_windows,
            audio_seconds=round(scheduler.backlog_seconds, 3),
            max_audio_seconds=scheduler.max_backlog,
        ),
    )
