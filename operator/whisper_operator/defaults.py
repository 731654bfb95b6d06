"""What the person who runs the operator decides for every resource."""

from dataclasses import dataclass

from whisper_operator.devices import EngineName


@dataclass(frozen=True, slots=True)
class Defaults:
    """Handed to the builders, which read no environment."""

    openvino_image: str
    pytorch_image: str
    render_groups: tuple[int, ...]
    """Groups that own the device files of NPUs and Intel GPUs on the nodes; distributions number them differently."""

    def image_for(self, engine: EngineName) -> str:
        """Return the image that holds an engine."""
        return self.openvino_image if engine == "openvino" else self.pytorch_image
