"""The operator's settings, from `WHISPER_OPERATOR_*`."""

from typing import Final, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from whisper_operator.api.network import Destination
from whisper_operator.defaults import REDIS_IMAGE, Defaults

ENVIRONMENT_PREFIX: Final = "WHISPER_OPERATOR_"


class OperatorSettings(BaseSettings):
    """What the person who runs the operator decides."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, extra="forbid")

    namespaces: tuple[str, ...] = Field((), description="Namespaces to watch; empty is all.")
    openvino_image: str = Field("whisper-inference:openvino", description="The server for NPUs, Intel GPUs and CPUs.")
    pytorch_image: str = Field("whisper-inference:pytorch", description="The server for NVIDIA GPUs.")
    redis_image: str = Field(REDIS_IMAGE, description="The Redis of resources with redis.managed.")
    image_pull_secrets: tuple[str, ...] = Field(
        (), description="Secrets, in each namespace with resources, with logins for the registries of the images."
    )
    render_groups: tuple[int, ...] = Field(
        (44, 105, 109, 110, 992, 993), description="Groups of the device files of NPUs and Intel GPUs on the nodes."
    )
    pod_env: dict[str, str] = Field(
        {}, description="Variables of every pod, for example HTTPS_PROXY or HF_ENDPOINT; what a pool says comes first."
    )
    ca_config_map: str | None = Field(
        None,
        description="A ConfigMap, in each namespace with resources, whose ca.crt the pods trust instead of their own.",
    )
    pod_egress: tuple[Destination, ...] = Field(
        (),
        description="What the network policy of every resource lets its pods reach, for example a proxy: "
        '`[{"cidr": "10.0.0.5/32", "ports": [3128]}]`.',
    )
    own_namespace: str | None = Field(
        None, description="Where the operator itself runs: policies of pods let it read how busy they are."
    )
    resync_seconds: float = Field(300, gt=0, description="How often every resource is looked at without a cause.")
    passes_at_once: int = Field(8, ge=1, le=64, description="Resources that are reconciled at the same time.")
    metrics_port: int = Field(8080, ge=1, le=65535, description="Port of /metrics.")
    health_port: int = Field(8081, ge=1, le=65535, description="Port of /healthz.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")
    log_format: Literal["text", "json"] = Field("json", description="Lines for people, or JSON for collectors.")

    @property
    def defaults(self) -> Defaults:
        """What the builders are told."""
        return Defaults(
            openvino_image=self.openvino_image,
            pytorch_image=self.pytorch_image,
            render_groups=self.render_groups,
            pod_env=self.pod_env,
            ca_config_map=self.ca_config_map,
            redis_image=self.redis_image,
            image_pull_secrets=self.image_pull_secrets,
            pod_egress=self.pod_egress,
            own_namespace=self.own_namespace,
        )
