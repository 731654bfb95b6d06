"""`spec.api.rateLimits` and `spec.api.quotas`: how often, and how much, each who asks may."""

from typing import Any

from pydantic import Field

from whisper_contract.runtime import Rate, RuntimeConfig
from whisper_operator.api.base import ApiModel


def _usual(setting: str) -> Any:  # noqa: ANN401 - whatever the field holds
    """Return what a server does that is told nothing."""
    return RuntimeConfig.model_fields[setting].default


class RateLimits(ApiModel):
    """How often: a number per second, minute, hour or day, such as 100/minute, or unlimited."""

    transcriptions: Rate = Field(_usual("rate_transcriptions"), description="Requests with audio, by credential.")
    reads: Rate = Field(_usual("rate_reads"), description="Other requests, by credential.")
    logins: Rate = Field(_usual("rate_logins"), description="Attempts to log in, by address.")
    refusals: Rate = Field(_usual("rate_refusals"), description="Requests with a wrong credential, by address.")


class Quotas(ApiModel):
    """How much a credential may use that has no quotas of its own in accounts.yaml."""

    concurrent_requests: int = Field(
        _usual("concurrent_requests"), ge=1, le=1_000_000, description="Requests with audio at once."
    )
    concurrent_streams: int = Field(
        _usual("concurrent_streams"), ge=1, le=1_000_000, description="Streams of live speech at once."
    )
    audio_seconds_per_day: int | None = Field(
        None, ge=1, le=10**9, description="Seconds of audio in a day (UTC); absent: any number."
    )
