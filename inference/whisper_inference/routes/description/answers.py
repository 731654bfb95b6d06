"""Answers as OpenAPI describes them: errors from the facts that cause them, and the headers that come along. Pure."""

import inspect
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from whisper_contract.surface import CORRELATION_HEADER, DEVICE_HEADER
from whisper_inference.error_body import ErrorBody, ErrorDetail
from whisper_inference.error_responses import INTERNAL_CODE, INTERNAL_SENTENCE, STATUS, type_of
from whisper_inference.errors import WhisperError

Json: TypeAlias = dict[str, Any]
Responses: TypeAlias = dict[int | str, Json]
"""What FastAPI takes as a route's `responses`."""
Fact: TypeAlias = type[WhisperError]

EXAMPLE_ID: Final = "9f1c7d0e5b0a4a6f8f7b1f0c2d3e4a5b"
RATE_HEADERS: Final = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
_RETRY_HEADER: Final = "Retry-After"
_CHALLENGE_HEADER: Final = "WWW-Authenticate"
_RETRIED: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_EXAMPLE_WAIT: Final = 5


def _header(description: str, kind: str, example: str | int, *, required: bool = False) -> Json:
    schema = {"type": kind, "minimum": 0} if kind == "integer" else {"type": kind}
    return {"description": description, "required": required, "schema": schema, "example": example}


HEADERS: Final = MappingProxyType(
    {
        CORRELATION_HEADER: _header(
            "Finds the request in the server's log: yours if you sent a sane one, else a new one.",
            "string",
            EXAMPLE_ID,
            required=True,
        ),
        "RateLimit-Limit": _header("How many requests may come in one window.", "integer", 6000),
        "RateLimit-Remaining": _header("How many of them are left.", "integer", 5999),
        "RateLimit-Reset": _header("Seconds until there is room again.", "integer", 60),
        _RETRY_HEADER: _header("Seconds after which another try may help.", "integer", _EXAMPLE_WAIT),
        _CHALLENGE_HEADER: _header("Which credentials are taken.", "string", "Bearer"),
        DEVICE_HEADER: _header("The device that computed the answer.", "string", "npu"),
    }
)
"""Each header that an answer may have, as a component."""


def may_raise(*facts: Fact) -> Responses:
    """Describe the errors of a route which do not follow from its role, its limit, its body and its parameters."""
    responses: Responses = {}
    for fact in facts:
        add_fact(responses, fact)
    return {int(status): response for status, response in responses.items()}


def with_headers(*names: str) -> Json:
    """Describe the headers of an answer."""
    return {"headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names}}


def add_fact(responses: Responses, fact: Fact, status: HTTPStatus | None = None) -> None:
    """Add an error to the answers of an operation."""
    add_error(responses, status or STATUS[fact], fact.code, _sentence(fact))


def add_error(responses: Responses, status: HTTPStatus, code: str, sentence: str) -> None:
    """Add an error to the answers of an operation, beside others of its status."""
    response = responses.setdefault(str(int(status)), {})
    content = response.setdefault("content", {}).setdefault("application/json", {})
    content["schema"] = {"$ref": f"#/components/schemas/{ErrorBody.__name__}"}
    examples = content.setdefault("examples", {})
    if code not in examples:
        examples[code] = {"$ref": f"#/components/examples/{code}"}
        response["description"] = " Or: ".join(part for part in (response.get("description"), sentence) if part)


def error_examples() -> Json:
    """Return an example of every error, by its code, as components."""
    facts = {fact.code: _example(status, fact.code, _sentence(fact)) for fact, status in STATUS.items()}
    return facts | {INTERNAL_CODE: _example(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL_CODE, INTERNAL_SENTENCE)}


def add_headers(responses: Responses, *, counted: bool) -> None:
    """Add the headers that every answer of an operation has."""
    for status, response in responses.items():
        names = [CORRELATION_HEADER, *(RATE_HEADERS if counted else ())]
        names += [_RETRY_HEADER] if HTTPStatus(int(status)) in _RETRIED else []
        names += [_CHALLENGE_HEADER] if int(status) == HTTPStatus.UNAUTHORIZED else []
        response["headers"] = with_headers(*names)["headers"] | response.get("headers", {})


def _sentence(fact: Fact) -> str:
    return (inspect.getdoc(fact) or fact.code).splitlines()[0]


def _example(status: HTTPStatus, code: str, sentence: str) -> Json:
    wait = _EXAMPLE_WAIT if status in _RETRIED else None
    detail = ErrorDetail(
        message=sentence, type=type_of(status), param=None, code=code, correlation_id=EXAMPLE_ID, retry_after=wait
    )
    return {"summary": sentence, "value": ErrorBody(error=detail).model_dump()}
