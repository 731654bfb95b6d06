"""`spec.jobs`: recordings that take longer than a request should."""

from typing import Annotated, TypeAlias

from pydantic import ConfigDict, Field

from whisper_operator.api.base import ApiModel, Cidr, Duration, Size, rule, rules

Host: TypeAlias = Annotated[
    str,
    Field(max_length=260, pattern=r"^(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[1-9][0-9]{0,4})?$"),
]
"""A host, or `*.` and a domain; with a port where it is not the scheme's own."""


class Webhooks(ApiModel):
    """Whom the pods may tell that a job is over."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.destinations.size() > 0 || (self.networks.size() == 0 && !self.plainHttp)",
                "without webhooks.destinations nobody is called: name the hosts, such as hooks.example.org",
            )
        )
    )

    destinations: Annotated[tuple[Host, ...], Field(max_length=32)] = Field(
        (), description="Hosts, such as hooks.example.org, *.example.org or hooks.example.org:8443; empty: none."
    )
    networks: Annotated[tuple[Cidr, ...], Field(max_length=16)] = Field(
        (), description="Networks that they may be in beside public addresses, such as that of a receiver inside."
    )
    plain_http: bool = Field(default=False, description="Call them over http, too, without TLS.")


class Jobs(ApiModel):
    """Recordings that take longer than a request should (docs/jobs.md)."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "duration(self.retention) >= duration('1m') && duration(self.retention) <= duration('720h')",
                "retention is from 1m to 720h",
            ),
            rule(
                "duration(self.maxAudioDuration) >= duration('1s') && "
                "duration(self.maxAudioDuration) <= duration('24h')",
                "maxAudioDuration is from 1s to 24h",
            ),
        )
    )

    max_audio_duration: Duration = Field("4h", description="The longest audio of a job.")
    max_upload_size: Size = Field("512Mi", description="The largest upload of a job; storeSize bounds it, too.")
    retention: Duration = Field("24h", description="How long a job and its result are kept that is over.")
    store_size: Size | None = Field(
        None,
        description="What the audio and results of all jobs may take together; beyond it, jobs are refused. Absent: "
        "half of redis.managed.memory, 1Gi in a Redis of your own, 256Mi in each pod without Redis.",
    )
    max_per_owner: Annotated[int, Field(ge=1, le=10000)] = Field(
        100, description="Unfinished jobs that one account or key name may have."
    )
    at_once: Annotated[int, Field(ge=1, le=64)] = Field(
        2, description="Jobs that each pod works at, at the same time; people who wait go first."
    )
    webhooks: Webhooks = Field(Webhooks(), description="Whom the pods may tell that a job is over.")
