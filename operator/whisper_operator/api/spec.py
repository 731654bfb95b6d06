"""`spec`: what a person asks for."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from whisper_operator.api.audit import Audit
from whisper_operator.api.base import ApiModel, Cidr, Duration, Name, Origin, Size, rule, rules
from whisper_operator.api.jobs import Jobs
from whisper_operator.api.limits import Quotas, RateLimits
from whisper_operator.api.model import Model
from whisper_operator.api.monitoring import Monitoring
from whisper_operator.api.network import Network
from whisper_operator.api.pool import Pool
from whisper_operator.api.route import Route
from whisper_operator.api.sessions import Redis, Sessions
from whisper_operator.api.streams import Streams
from whisper_operator.api.tls import Tls


class Fallback(ApiModel):
    """When a standby pool stands in for an earlier one."""

    after: Duration = Field(
        "60s", description="How long an earlier pool falls short before a standby starts, and is well before it stops."
    )
    strict: bool = Field(
        default=False, description="Never stand in: the resource is not Available while its first pool has no device."
    )


class Credentials(ApiModel):
    """The Secret with the server's keys: API_KEY is the one that clients send."""

    secret_name: Name | None = Field(None, description="Name of the Secret; by default that of the resource's own.")
    generate: bool = Field(
        default=True, description="Make the Secret with random keys if it is not there; it is never overwritten."
    )


class Api(ApiModel):
    """What the server accepts."""

    max_upload_size: Size = Field("100Mi", description="The largest upload.")
    max_audio_duration: Duration = Field("5m", description="The longest audio.")
    legacy: bool = Field(
        default=False, description="Answer under the names of the service that this one replaces (docs/api-changes.md)."
    )
    max_connections: int = Field(
        2000, ge=1, le=65000, description="Open connections of a pod; more are answered 503 and closed."
    )
    trusted_proxies: Annotated[tuple[Cidr, ...], Field(max_length=16)] = Field(
        (),
        description="Networks of the proxies in front, such as an ingress controller's pods: only from there are the "
        "client's address (X-Forwarded-For) and scheme (X-Forwarded-Proto) believed.",
    )
    cors_origins: Annotated[tuple[Origin, ...], Field(max_length=32)] = Field(
        (), description="Origins whose pages may call the server, for example https://app.example.org."
    )
    rate_limits: RateLimits = Field(
        RateLimits(), description="How often: a number per second, minute, hour or day, or unlimited."
    )
    quotas: Quotas = Field(Quotas(), description="How much a credential may use that has no quotas of its own.")


class WhisperDeploymentSpec(ApiModel):
    """What is asked for."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.pools.all(pool, self.pools.filter(other, other.name == pool.name).size() == 1)",
                "two pools have the same name; rename one",
            ),
            rule("!self.pools[0].standby", "the first pool is the preferred one and cannot be a standby"),
            rule(
                "!has(self.pools[0].replicas)",
                "the first pool has no count of its own: write spec.replicas, which `kubectl scale` changes",
            ),
            rule(
                "!has(self.pools[0].autoscaling) || self.replicas == 1",
                "the first pool's autoscaling decides its count: remove spec.replicas",
            ),
            rule(
                "self.credentials.generate || has(self.credentials.secretName)",
                "with generate: false name the Secret in credentials.secretName",
            ),
            rule(
                "!has(self.jobs.storeSize) || !has(self.redis) || !has(self.redis.managed) || "
                "quantity(self.jobs.storeSize).add(quantity(self.jobs.storeSize))"
                ".compareTo(quantity(self.redis.managed.memory)) <= 0",
                "jobs.storeSize is at most half of redis.managed.memory: sessions and changes need the rest",
            ),
        )
    )

    model: Model = Field(description="What is served.")
    replicas: int = Field(1, ge=1, le=1000, description="Pods of the first pool; what `kubectl scale` changes.")
    pools: Annotated[tuple[Pool, ...], Field(min_length=1, max_length=8)] = Field(
        (Pool(name="cpu", device="cpu"),), description="In order of preference."
    )
    fallback: Fallback = Field(Fallback(), description="When a standby pool stands in.")
    credentials: Credentials = Field(Credentials(), description="The server's keys.")
    sessions: Sessions = Field(Sessions(), description="How long a login lasts.")
    redis: Redis | None = Field(None, description="Where sessions are kept; absent: each pod has its own.")
    network: Network = Field(Network(), description="Who may reach the pods, and what they may reach.")
    tls: Tls | None = Field(None, description="TLS of the server itself; absent: plain HTTP inside the cluster.")
    route: Route | None = Field(None, description="How clients outside the cluster come in; absent: the Service only.")
    monitoring: Monitoring = Field(Monitoring(), description="What is made for Prometheus and Grafana.")
    api: Api = Field(Api(), description="What the server accepts.")
    audit: Audit = Field(Audit(), description="Where it goes who did what.")
    log_level: Literal["debug", "info", "warning", "error"] | None = Field(
        None, description="The least that the servers log; absent: info. At debug, what is said may be in it."
    )
    streams: Streams = Field(Streams(), description="Live speech.")
    jobs: Jobs = Field(Jobs(), description="Recordings that take longer than a request should.")
