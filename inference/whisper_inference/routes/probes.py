"""Probes and metrics: who asks needs no key."""

import time

from fastapi import APIRouter, Response, status
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from whisper_contract.surface import HEALTH_PATH, METRICS_PATH, READY_PATH
from whisper_inference.dependencies import State

probes = APIRouter()
management = APIRouter()


@probes.get(HEALTH_PATH)
def health(state: State) -> JSONResponse:
    """Say whether the process is worth keeping: an engine that makes no progress is not."""
    stalled = state.loaded is not None and state.loaded.scheduler.stalled(time.monotonic())
    code = status.HTTP_503_SERVICE_UNAVAILABLE if stalled else status.HTTP_200_OK
    return JSONResponse({"status": "stalled" if stalled else "ok"}, code)


@probes.get(READY_PATH)
def ready(state: State) -> JSONResponse:
    """Say whether requests are taken: from the first real transcript until the server drains."""
    readiness = state.readiness
    code = status.HTTP_200_OK if readiness.ready else status.HTTP_503_SERVICE_UNAVAILABLE
    return JSONResponse({"status": readiness.phase.value, "problem": readiness.problem}, code)


@management.get(METRICS_PATH)
def metrics(state: State) -> Response:
    """Publish the metrics to Prometheus."""
    return Response(generate_latest(state.metrics.registry), media_type=CONTENT_TYPE_LATEST)
