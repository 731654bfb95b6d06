"""Probes and metrics: who asks needs no key."""

import time
from typing import Final, Literal

from fastapi import APIRouter, Response, status
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict, Field

from whisper_contract.surface import HEALTH_PATH, METRICS_PATH, READY_PATH
from whisper_inference.dependencies import State
from whisper_inference.readiness import Phase

probes = APIRouter(tags=["probes"])
management = APIRouter()


_UNAVAILABLE: Final = status.HTTP_503_SERVICE_UNAVAILABLE


class HealthBody(BaseModel):
    """Whether the process is worth keeping."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"status": "ok"}]})

    status: Literal["ok", "stalled"]


class ReadyBody(BaseModel):
    """Whether requests are taken."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"status": "ready", "problem": None}]})

    status: Phase
    problem: str | None = Field(description="Why the model cannot be served, if it cannot.")


@probes.get(
    HEALTH_PATH,
    response_model=HealthBody,
    responses={_UNAVAILABLE: {"model": HealthBody, "description": "The engine makes no progress."}},
)
async def health(state: State) -> JSONResponse:
    """Say whether the process is worth keeping.

    An engine that makes no progress is not.
    """
    stalled = state.loaded is not None and state.loaded.scheduler.stalled(time.monotonic())
    code = _UNAVAILABLE if stalled else status.HTTP_200_OK
    return JSONResponse({"status": "stalled" if stalled else "ok"}, code)


@probes.get(
    READY_PATH,
    response_model=ReadyBody,
    responses={_UNAVAILABLE: {"model": ReadyBody, "description": "The server loads, drains, or has failed to load."}},
)
async def ready(state: State) -> JSONResponse:
    """Say whether requests are taken.

    They are from the first real transcript until the server drains.
    """
    readiness = state.readiness
    code = status.HTTP_200_OK if readiness.ready else _UNAVAILABLE
    return JSONResponse({"status": readiness.phase.value, "problem": readiness.problem}, code)


@management.get(METRICS_PATH)
def metrics(state: State) -> Response:
    """Publish the metrics to Prometheus."""
    return Response(generate_latest(state.metrics.registry), media_type=CONTENT_TYPE_LATEST)
