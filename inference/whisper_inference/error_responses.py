"""Errors as HTTP: one table from facts to status codes, one body for all of them.

The body is OpenAI's, with `correlation_id` and `retry_after` for those who operate the server.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from whisper_contract.surface import CORRELATION_HEADER, OPENAI_PATH
from whisper_inference import errors
from whisper_inference.allowed_methods import allowed_methods
from whisper_inference.auditing import write_down_refusal
from whisper_inference.error_body import ErrorBody, ErrorDetail, ErrorType
from whisper_inference.observability.logs import correlation_id
from whisper_inference.security_headers import HEADERS

logger = logging.getLogger(__name__)

STATUS: Final[Mapping[type[errors.WhisperError], HTTPStatus]] = MappingProxyType(
    {
        errors.InvalidRequest: HTTPStatus.BAD_REQUEST,
        errors.UnsupportedField: HTTPStatus.BAD_REQUEST,
        errors.UnreadableAudio: HTTPStatus.BAD_REQUEST,
        errors.AudioDecodingTimeout: HTTPStatus.BAD_REQUEST,
        errors.AudioTooLong: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        errors.UploadTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        errors.UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        errors.UnsupportedAudioFormat: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
        errors.Forbidden: HTTPStatus.FORBIDDEN,
        errors.NotFound: HTTPStatus.NOT_FOUND,
        errors.Gone: HTTPStatus.GONE,
        errors.ModelNotFound: HTTPStatus.NOT_FOUND,
        errors.JobNotFound: HTTPStatus.NOT_FOUND,
        errors.BatchNotFound: HTTPStatus.NOT_FOUND,
        errors.JobNotFinished: HTTPStatus.CONFLICT,
        errors.JobWithoutResult: HTTPStatus.CONFLICT,
        errors.JobStoreFull: HTTPStatus.TOO_MANY_REQUESTS,
        errors.TooManyJobs: HTTPStatus.TOO_MANY_REQUESTS,
        errors.TooManyAttempts: HTTPStatus.TOO_MANY_REQUESTS,
        errors.RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
        errors.ConcurrencyLimited: HTTPStatus.TOO_MANY_REQUESTS,
        errors.QuotaExceeded: HTTPStatus.TOO_MANY_REQUESTS,
        errors.StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.Overloaded: HTTPStatus.TOO_MANY_REQUESTS,
        errors.SlowReader: HTTPStatus.REQUEST_TIMEOUT,
        errors.TooManyConnections: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.StreamTaken: HTTPStatus.CONFLICT,
        errors.StreamNotFound: HTTPStatus.NOT_FOUND,
        errors.EmptyBuffer: HTTPStatus.BAD_REQUEST,
        errors.SessionExpired: HTTPStatus.REQUEST_TIMEOUT,
        errors.NotReady: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.ShuttingDown: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.EngineFailed: HTTPStatus.INTERNAL_SERVER_ERROR,
    }
)
"""Facts that a request can meet. One that is not here is a defect of ours: 500."""

_LONGEST_PARAM: Final = 64
"""Names that clients make up are not repeated at length."""
_NO_JSON: Final = "The body is not JSON: send a JSON object."
_RETRY_SOON_SECONDS: Final = 5
CLIENT_CLOSED_REQUEST: Final = 499
"""Nobody reads it; the metrics tell it from failures (nginx's convention)."""
INTERNAL_CODE: Final = "internal_error"
INTERNAL_SENTENCE: Final = "The server failed; the correlation id finds the cause in its log."

_TYPES: Final[Mapping[HTTPStatus, ErrorType]] = MappingProxyType(
    {
        HTTPStatus.UNAUTHORIZED: "authentication_error",
        HTTPStatus.FORBIDDEN: "permission_error",
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
    app.add_exception_handler(ClientDisconnect, _on_client_gone)
    app.add_exception_handler(Exception, _on_defect)


def status_of(error: errors.WhisperError) -> HTTPStatus:
    """Look a fact up in the table."""
    return STATUS.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)


def type_of(status: HTTPStatus) -> ErrorType:
    """Return the kind of error that a status is."""
    return _TYPES.get(status, "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error")


def validation_status(path: str) -> HTTPStatus:
    """Return what a request gets that does not fit its description: OpenAI's clients know 400 alone."""
    return HTTPStatus.BAD_REQUEST if path.startswith(OPENAI_PATH) else HTTPStatus.UNPROCESSABLE_ENTITY


def error_body(error: errors.WhisperError) -> dict[str, Any]:
    """Return the body of a fact; one that is not in the table tells nothing of the inside."""
    if type(error) not in STATUS:
        return _body(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL_SENTENCE, INTERNAL_CODE, None, None)
    return _body(status_of(error), str(error), error.code, error.param, _retry_after(error))


def error_response(error: errors.WhisperError) -> JSONResponse:
    """Return the whole answer to a request that met a fact."""
    headers = {}
    if (seconds := _retry_after(error)) is not None:
        headers["Retry-After"] = str(seconds)
    if isinstance(error, errors.Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(error_body(error), status_of(error), headers)


async def _on_fact(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, errors.WhisperError):
        raise error
    write_down_refusal(request, error)
    if status_of(error) is HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("A request failed", exc_info=error)
    return error_response(error)


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.BAD_REQUEST:  # FastAPI could not read the body: not UTF-8, or nested too deep
        return error_response(errors.InvalidRequest(_NO_JSON))
    message = {
        HTTPStatus.NOT_FOUND: "No such path: see the README for the routes of this server.",
        HTTPStatus.METHOD_NOT_ALLOWED: "The path exists and does not take this method.",
    }.get(status, str(error.detail))
    code = status.name.lower()
    headers = {"Allow": allowed_methods(request)} if status is HTTPStatus.METHOD_NOT_ALLOWED else error.headers
    return JSONResponse(_body(status, message, code, None, None), status, headers)


async def _on_validation(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return error_response(errors.InvalidRequest(_NO_JSON))
    if first["loc"] == ("body",) and first["type"] != "missing" and not _is_json(request):
        return error_response(errors.UnsupportedMediaType("Send the body with Content-Type: application/json."))
    param = ".".join(str(part) for part in first["loc"][1:])[:_LONGEST_PARAM] or None
    message = f"{param}: {first['msg']}" if param else str(first["msg"])
    status = validation_status(request.url.path)
    fact = errors.UnsupportedField if first["type"] == errors.UnsupportedField.code else errors.InvalidRequest
    return JSONResponse(_body(status, message, fact.code, param, None), status)


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


async def _on_client_gone(_request: Request, _error: Exception) -> Response:
    """A body that breaks off is no failure of ours."""
    return Response(status_code=CLIENT_CLOSED_REQUEST)


async def _on_defect(_request: Request, error: Exception) -> JSONResponse:
    logger.error("A request failed", exc_info=error)
    body = _body(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL_SENTENCE, INTERNAL_CODE, None, None)
    # This answer is made outside the middleware that adds headers to all others.
    headers = {CORRELATION_HEADER: correlation_id() or "", **HEADERS}
    return JSONResponse(body, HTTPStatus.INTERNAL_SERVER_ERROR, headers)


def _retry_after(error: errors.WhisperError) -> int | None:
    if isinstance(error, errors.Postponed):
        return error.retry_after_seconds
    return _RETRY_SOON_SECONDS if status_of(error) is HTTPStatus.SERVICE_UNAVAILABLE else None


def _body(status: HTTPStatus, message: str, code: str, param: str | None, retry_after: int | None) -> dict[str, Any]:
    detail = ErrorDetail(
        message=message,
        type=type_of(status),
        param=param,
        code=code,
        correlation_id=correlation_id(),
        retry_after=retry_after,
    )
    return ErrorBody(error=detail).model_dump()
