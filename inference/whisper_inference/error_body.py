"""The one body of every error, on HTTP, in server-sent events and on WebSocket: OpenAI's, and what operators need."""

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

ErrorType: TypeAlias = Literal[
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "rate_limit_error",
    "server_error",
    "service_unavailable_error",
]
"""OpenAI's kinds: a coarser `code`, which its clients look at."""


class ErrorDetail(BaseModel):
    """What went wrong."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    message: str = Field(description="What happened and what to do, for a person.")
    type: ErrorType = Field(description="The kind of error, as OpenAI names it.")
    param: str | None = Field(description="The field of the request that is at fault, where there is one.")
    code: str = Field(description="The error's stable name, for a program.")
    correlation_id: str | None = Field(description="Finds the request in the server's log; also in X-Request-Id.")
    retry_after: int | None = Field(description="Seconds after which another try may help; also in Retry-After.")


class ErrorBody(BaseModel):
    """An error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    error: ErrorDetail
