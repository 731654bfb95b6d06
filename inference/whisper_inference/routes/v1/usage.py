"""What a credential has used, and may use."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict

from whisper_contract.surface import API_PATH
from whisper_inference.dependencies import Requires, ServerState, State
from whisper_inference.security.rate_limits import RateClass
from whisper_inference.security.roles import Principal, Role

_BY_CREDENTIAL: Final = (RateClass.TRANSCRIPTIONS, RateClass.READS)

Someone = Annotated[Principal, Depends(Requires(Role.VIEWER))]
"""Anyone with a credential."""

router = APIRouter(prefix=API_PATH, tags=["usage"])


class AudioUsage(BaseModel):
    """Audio of this day."""

    used_seconds: float
    limit_seconds: int | None
    """`None` is any number."""
    resets_at: datetime
    """Midnight, UTC."""


class ConcurrencyUsage(BaseModel):
    """What is under way."""

    used: int
    limit: int


class RateUsage(BaseModel):
    """Requests of a class."""

    limit: int
    remaining: int
    reset_seconds: int
    """Until there is room again."""


class UsageResponse(BaseModel):
    """What a credential has used, at all replicas that share a Redis, and what it may use."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "audio": {"used_seconds": 84.5, "limit_seconds": None, "resets_at": "2026-11-25T00:00:00Z"},
                    "concurrent_requests": {"used": 1, "limit": 64},
                    "concurrent_streams": {"used": 2, "limit": 64},
                    "rates": {
                        "transcriptions": {"limit": 6000, "remaining": 5999, "reset_seconds": 60},
                        "reads": None,
                    },
                }
            ]
        }
    )

    audio: AudioUsage
    concurrent_requests: ConcurrencyUsage
    """Requests with audio."""
    concurrent_streams: ConcurrencyUsage
    """Live speech."""
    rates: dict[RateClass, RateUsage | None]
    """`None` is unlimited."""


@router.get("/usage", summary="What the credential has used")
async def get_usage(someone: Someone, state: State) -> UsageResponse:
    """Say what the credential that asks has used, and may use."""
    usage = await state.meter.usage(someone.consumer)
    return UsageResponse(
        audio=AudioUsage(
            used_seconds=round(usage.audio_seconds, 3),
            limit_seconds=usage.allowance.audio_seconds_per_day,
            resets_at=usage.resets_at,
        ),
        concurrent_requests=ConcurrencyUsage(used=usage.requests, limit=usage.allowance.concurrent_requests),
        concurrent_streams=ConcurrencyUsage(used=usage.streams, limit=usage.allowance.concurrent_streams),
        rates={rate: await _rate(state, rate, someone.credential) for rate in _BY_CREDENTIAL},
    )


async def _rate(state: ServerState, rate: RateClass, credential: str) -> RateUsage | None:
    standing = await state.limits.standing(rate, credential)
    return None if standing is None else RateUsage.model_validate(standing._asdict())
