"""`spec.streams`: live speech."""

from typing import Annotated, TypeAlias

from pydantic import ConfigDict, Field

from whisper_operator.api.base import ApiModel, Duration, Rule, rule, rules

Moment: TypeAlias = Annotated[str, Field(max_length=10, pattern=r"^[1-9][0-9]{0,5}(ms|s)$")]
"""A short duration, for example 600ms or 1s."""


def _within(field: str, least: str, most: str) -> Rule:
    length = f"duration(self.{field})"
    return rule(
        f"{length} >= duration('{least}') && {length} <= duration('{most}')", f"{field} is from {least} to {most}"
    )


class Streams(ApiModel):
    """Live speech (docs/streaming.md)."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            _within("partialInterval", "200ms", "10s"),
            _within("endpointSilence", "200ms", "5s"),
            _within("resumeWindow", "1s", "1h"),
            _within("idleTimeout", "1s", "24h"),
            _within("longest", "1s", "168h"),
            rule(
                "duration(self.idleTimeout) <= duration(self.longest)",
                "idleTimeout is longer than longest: a stream would never end for being idle",
            ),
        )
    )

    partial_interval: Moment = Field(
        "1s", description="New sound between two partial results, where a client asks for nothing else: 200ms to 10s."
    )
    endpoint_silence: Moment = Field(
        "600ms", description="A pause that ends an utterance, where a client asks for nothing else: 200ms to 5s."
    )
    resume_window: Duration = Field(
        "2m", description="How long a stream can be gone on with whose connection was lost: 1s to 1h."
    )
    idle_timeout: Duration = Field("60s", description="A stream that sends nothing ends after this: 1s to 24h.")
    longest: Duration = Field("4h", description="Any stream ends after this: 1s to 168h.")
    max_per_pod: int = Field(
        256,
        ge=1,
        le=65000,
        description="Streams of a pod at once.",
    )
    measured: bool = Field(
        default=True,
        description="Take no new stream that the device could not follow beside the others, as the pod measures; "
        "false: up to maxPerPod, and their text comes as late as it will.",
    )
