"""What a credential may use. Pure."""

from typing import Annotated, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from whisper_inference.quotas.store import LeaseClass

UNLIMITED: Final = "unlimited"


class Allowance(NamedTuple):
    """What somebody may use."""

    audio_seconds_per_day: int | None
    """`None` is any number."""
    concurrent_requests: int
    concurrent_streams: int

    def at_once(self, kind: LeaseClass) -> int:
        """Return how many of a kind somebody may have under way."""
        return self.concurrent_streams if kind is LeaseClass.STREAMS else self.concurrent_requests


class Quota(BaseModel):
    """What one credential may use where that is not what all may: `quotas` of accounts.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True)

    audio_seconds_per_day: Annotated[int, Field(ge=1)] | Literal["unlimited"] | None = None
    concurrent_requests: Annotated[int, Field(ge=1)] | None = None
    concurrent_streams: Annotated[int, Field(ge=1)] | None = None

    def over(self, usual: Allowance) -> Allowance:
        """Return what this credential may use where all others may use that."""
        audio, requests, streams = self.audio_seconds_per_day, self.concurrent_requests, self.concurrent_streams
        return Allowance(
            usual.audio_seconds_per_day if audio is None else None if audio == UNLIMITED else audio,
            usual.concurrent_requests if requests is None else requests,
            usual.concurrent_streams if streams is None else streams,
        )


NO_QUOTA: Final = Quota()
"""As all others."""


class Consumer(NamedTuple):
    """Whose use is counted."""

    credential: str
    quota: Quota = NO_QUOTA
