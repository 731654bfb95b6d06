"""What the person who runs the operator decides for every resource."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from whisper_operator.api.network import Destination
from whisper_operator.devices import EngineName

REDIS_IMAGE: Final = "valkey/valkey:8.1-alpine"
"""Free, small, and has `redis-server` and `redis-cli`."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """Handed to the builders, which read no environment."""

    openvino_image: str
    pytorch_image: str
    render_groups: tuple[int, ...]
    """Groups that own the device files of NPUs and Intel GPUs on the nodes; distributions number them differently."""
    pod_env: Mapping[str, str] = field(default_factory=dict)
    """Variables of every pod."""
    ca_config_map: str | None = None
    """A ConfigMap in the namespace of the resource, whose `ca.crt` the pods trust."""
    redis_image: str = REDIS_IMAGE
    """Of a managed Redis."""
    image_pull_secrets: tuple[str, ...] = ()
    """Logins for registries, in the namespace of the resource."""
    pod_egress: tuple[Destination, ...] = ()
    """What every server may reach, for example a proxy."""
    own_namespace: str | None = None
    """Where the operator itself runs, if it runs in the cluster."""

    def image_for(self, engine: EngineName) -> str:
        """Return the image that holds an engine."""
        return self.openvino_image if engine == "openvino" else self.pytorch_image
