"""`models`, `clear-cache`, and where the old streams have gone."""

from typing import Any

from fastapi import APIRouter

from whisper_contract.surface import API_PATH, LEGACY_PATH, STREAM_PATH
from whisper_inference.audit.events import Action
from whisper_inference.dependencies import Loaded, State
from whisper_inference.errors import Gone, NotFound
from whisper_inference.routes.description import may_raise
from whisper_inference.routes.v0.farewell import old_name
from whisper_inference.routes.v1.cache import clear, own_cache
from whisper_inference.security.roles import Role

router = APIRouter(prefix=LEGACY_PATH, tags=["old names"])


@router.get(
    "/models",
    summary="List models, as the old service did",
    deprecated=True,
    dependencies=old_name(Role.VIEWER, f"{API_PATH}/models"),
)
def list_models(services: Loaded) -> dict[str, Any]:
    """Call `GET /api/v1/models` instead."""
    device = services.scheduler.capabilities.device
    return {"models": [services.model_name], "device": device, "status": "success", "service": "whisper"}


@router.post(
    "/clear-cache",
    summary="Clear the cache, as the old service did",
    deprecated=True,
    responses=may_raise(NotFound),
    dependencies=old_name(Role.ADMIN, f"{API_PATH}/cache", Action.CACHE_CLEAR),
)
async def clear_cache(state: State) -> dict[str, Any]:
    """Call `DELETE /api/v1/cache` instead."""
    cleared = await clear(own_cache(state.cache), "all")
    return {"status": "Cache cleared successfully", "freed_bytes": cleared.freed_bytes}


@router.api_route(
    "/stream/{rest:path}",
    methods=["GET", "POST"],
    include_in_schema=False,
    dependencies=old_name(Role.TRANSCRIBER, STREAM_PATH),
)
def stream() -> None:
    """Say where streams are now.

    Raises:
        Gone: Always.
    """
    raise Gone(f"The old streams were Socket.IO and are gone: open a WebSocket at {STREAM_PATH}; /docs says how.")
