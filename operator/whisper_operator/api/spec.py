"""`spec`: what a person asks for."""

from typing import Annotated

from pydantic import ConfigDict, Field

from whisper_operator.api.base import ApiModel, Duration, Name, Size, rule, rules
from whisper_operator.api.model import Model
from whisper_operator.api.monitoring import Monitoring
from whisper_operator.api.network import Network
from whisper_operator.api.pool import Pool
from whisper_operator.api.route import Route


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
        )
    )

    model: Model = Field(description="What is served.")
    replicas: int = Field(1, ge=1, le=1000, description="Pods of the first pool; what `kubectl scale` changes.")
    pools: Annotated[tuple[Pool, ...], Field(min_length=1, max_length=8)] = Field(
        (Pool(name="cpu", device="cpu"),), description="In order of preference."
    )
    fallback: Fallback = Field(Fallback(), description="When a standby pool stands in.")
    credentials: Credentials = Field(Credentials(), description="The server's keys.")
    network: Network = Field(Network(), description="Who may reach the pods, and what they may reach.")
    route: Route | None = Field(None, description="How clients outside the cluster come in; absent: the Service only.")
    monitoring: Monitoring = Field(Monitoring(), description="What is made for Prometheus and Grafana.")
    api: Api = Field(Api(), description="What the server accepts.")
