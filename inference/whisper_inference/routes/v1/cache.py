"""The server's cache: how large it is, and clearing it of what nobody uses."""

import asyncio
from typing import Annotated, Final, Literal, Self

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from whisper_contract.surface import API_PATH
from whisper_inference.audit.events import Action
from whisper_inference.dependencies import Requires, State, audited
from whisper_inference.errors import NotFound
from whisper_inference.models.cache_contents import CacheContents, CachedItem, Kind
from whisper_inference.routes.description import may_raise
from whisper_inference.security.roles import Role

_KINDS: Final = {
    "all": frozenset(Kind),
    "models": frozenset({Kind.MODEL}),
    "compiled": frozenset({Kind.COMPILED}),
}

Which = Annotated[Literal["all", "models", "compiled"], Query(description="Downloaded models, compiled ones, or both.")]


class CachedItemResponse(BaseModel):
    """One thing that is kept."""

    kind: Kind
    name: str = Field(description="The model and its commit; or model, precision, version and device.")
    bytes: int
    in_use: bool = Field(description="By this server or another one that shares the cache; or it cannot be written.")

    @classmethod
    def of(cls, item: CachedItem) -> Self:
        """Describe an item, without where it lies."""
        return cls(kind=item.kind, name=item.name, bytes=item.bytes, in_use=item.in_use)


_EXAMPLE: Final[JsonDict] = {
    "kind": "model",
    "name": "openai/whisper-base@2f3e3b1c0d9a",
    "bytes": 290403936,
    "in_use": True,
}
_STALE: Final[JsonDict] = {"kind": "compiled", "name": "f00dfeed/f16/2025.4/NPU", "bytes": 153092431, "in_use": False}


class CacheResponse(BaseModel):
    """What is kept."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"bytes": 443496367, "items": [_STALE, _EXAMPLE]}]})

    bytes: int
    items: list[CachedItemResponse]


class ClearedResponse(BaseModel):
    """What a clearing did."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"freed_bytes": 153092431, "removed": [_STALE], "kept": [_EXAMPLE]}]}
    )

    freed_bytes: int
    removed: list[CachedItemResponse]
    kept: list[CachedItemResponse] = Field(description="In use, or on a volume that cannot be written.")


router = APIRouter(
    prefix=f"{API_PATH}/cache",
    tags=["cache"],
    dependencies=[Depends(Requires(Role.ADMIN))],
)


@router.get("", summary="Say how large the cache is", responses=may_raise(NotFound))
async def show_cache(state: State) -> CacheResponse:
    """List downloaded and compiled models with their sizes."""
    items = await asyncio.to_thread(own_cache(state.cache).items)
    return CacheResponse(bytes=sum(item.bytes for item in items), items=[CachedItemResponse.of(item) for item in items])


@router.delete(
    "", summary="Clear the cache", dependencies=audited(Role.ADMIN, Action.CACHE_CLEAR), responses=may_raise(NotFound)
)
async def clear_cache(state: State, which: Which = "all") -> ClearedResponse:
    """Delete what no server that shares the cache has loaded; what is loaded stays."""
    return await clear(own_cache(state.cache), which)


async def clear(cache: CacheContents, which: Literal["all", "models", "compiled"]) -> ClearedResponse:
    """Clear a cache, off the event loop."""
    cleared = await asyncio.to_thread(cache.clear, _KINDS[which])
    return ClearedResponse(
        freed_bytes=sum(item.bytes for item in cleared.removed),
        removed=[CachedItemResponse.of(item) for item in cleared.removed],
        kept=[CachedItemResponse.of(item) for item in cleared.kept],
    )


def own_cache(cache: CacheContents | None) -> CacheContents:
    """Return the server's cache.

    Raises:
        NotFound: It has none of its own: it shares that of a person's command line, which is not its to clear.
    """
    if cache is None:
        raise NotFound("This server has no cache of its own: it was started without WHISPER_CACHE_DIR.")
    return cache
