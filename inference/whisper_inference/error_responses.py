"""Errors as HTTP: one table from facts to status codes, one body for all of them.

The body is OpenAI's, with `correlation_id` and `retry_after` for those who operate the server.
"""

import logging
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from whisper_contract.surface import CORRELATION_HEADER
from whisper_inference import errors
from whisper_inference.observability.logs import correlation_id

logger = logging.getLogger(__name__)

STATUS: Final = MappingProxyType(
    {
        errors.InvalidRequest: HTTPStatus.BAD_REQUEST,
        errors.UnsupportedField: HTTPStatus.BAD_REQUEST,
        errors.UnreadableAudio: HTTPStatus.BAD_REQUEST,
        errors.AudioDecodingTimeout: HTTPStatus.BAD_REQUEST,
        errors.AudioTooLong: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        errors.UploadTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        errors.UnsupportedAudioFormat: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
        errors.NotFound: HTTPStatus.NOT_FOUND,
        errors.ModelNotFound: HTTPStatus.NOT_FOUND,
        errors.Overloaded: HTTPStatus.TOO_MANY_REQUESTS,
        errors.NotReady: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.ShuttingDown: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.EngineFailed: HTTPStatus.INTERNAL_SERVER_ERROR,
    }
)
"""Facts that a request can meet. One that is not here is a defect of ours: 500."""

_RETRY_SOON_SECONDS: Final = 5
_INTERNAL: Final = "The server failed; the correlation id finds the cause in its log."

_TYPES: Final = MappingProxyType(
    {
        HTTPStatus.UNAUTHORIZED: "authentication_error",
        HTTPStatus.NOT_FOUND: "not_found_error",
        HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
        HTTPStatus.SERVICE_UNAVAILABLE: "service_unavailable_error",
    }
)
"""OpenAI's `type`; others are `invalid_request_error` below 500 and `server_error` from there on."""


def install(app: FastAPI) -> None:
    """Let every error of the application answer in the one body."""
    app.add_exception_handler(errors.WhisperError, _on_fact)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(Exception, _on_defect)


def status_of(error: errors.WhisperError) -> HTTPStatus:
    """Look a fact up in the table."""
    return STATUS.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)


def error_body(error: errors.WhisperError) -> dict[str, Any]:
    """Return the body of a fact; one that is not in the table tells nothing of the inside."""
    if type(error) not in STATUS:
        return _body(HTTPStatus.INTERNAL_SERVER_ERROR, _INTERNAL, "internal_error", None, None)
    return _body(status_of(error), str(error), error.code, error.param, _retry_after(error))


def error_response(error: errors.WhisperError) -> JSONResponse:
    """Return the whole answer to a request that met a fact."""
    headers = {}
    if (seconds := _retry_after(error)) is not None:
        headers["Retry-After"] = str(seconds)
    if isinstance(error, errors.Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(error_body(error), status_of(error), headers)


async def _on_fact(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, errors.WhisperError):
        raise error
    if status_of(error) is HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("A request failed", exc_info=error)
    return error_response(error)


async def _on_http_exception(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    message = {
        HTTPStatus.NOT_FOUND: "No such path: see the README for the routes of this server.",
        HTTPStatus.METHOD_NOT_ALLOWED: "The path exists and does not take this method.",
    }.get(status, str(error.detail))
    code = status.name.lower()
    return JSONResponse(_body(status, message, code, None, None), status, error.headers)


async def _on_validation(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    param = ".".join(str(part) for part in first["loc"][1:]) or None
    body = _body(HTTPStatus.BAD_REQUEST, f"{param}: {first['msg']}", errors.InvalidRequest.code, param, None)
    return JSONResponse(body, HTTPStatus.BAD_REQUEST)


async def _on_defect(_request: Request, error: Exception) -> JSONResponse:
    logger.error("A request failed", exc_info=error)
    body = _body(HTTPStatus.INTERNAL_SERVER_ERROR, _INTERNAL, "internal_error", None, None)
    # This answer is made outside the middleware that adds the header to all others.
    headers = {CORRELATION_HEADER: correlation_id() or ""}
    return JSONResponse(body, HTTPStatus.INTERNAL_SERVER_ERROR, headers)


def _retry_after(error: errors.WhisperError) -> int | None:
    if isinstance(error, errors.Overloaded):
        return error.retry_after_seconds
    return _RETRY_SOON_SECONDS if status_of(error) is HTTPStatus.SERVICE_UNAVAILABLE else None


def _body(status: HTTPStatus, message: str, code: str, param: str | None, retry_after: int | None) -> dict[str, Any]:
    usual = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    return {
        "error": {
            "message": message,
            "type": _TYPES.get(status, usual),
            "param": param,
            "code": code,
            "correlation_id": correlation_id(),
            "retry_after": retry_after,
        }
    }
