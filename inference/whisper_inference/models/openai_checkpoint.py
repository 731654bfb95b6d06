"""OpenAI's own checkpoint: one `.pt` file with `dims` and `model_state_dict`, and no tokenizer."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from whisper_inference.errors import InvalidCheckpoint
from whisper_inference.models.checkpoint import WeightArray
from whisper_inference.models.dimensions import ModelDimensions
from whisper_inference.models.restricted_pickle import TensorRecord
from whisper_inference.models.tensors import read_tensor
from whisper_inference.models.torch_archive import open_torch_archive
from whisper_inference.models.weights import check_dimensions, check_shapes

_DIMENSIONS: Final = MappingProxyType(
    {
        "n_mels": "mel_bins",
        "n_audio_ctx": "audio_context",
        "n_audio_state": "audio_width",
        "n_audio_head": "audio_heads",
        "n_audio_layer": "audio_layers",
        "n_vocab": "vocabulary",
        "n_text_ctx": "text_context",
        "n_text_state": "text_width",
        "n_text_head": "text_heads",
        "n_text_layer": "text_layers",
    }
)
"""OpenAI's name of each dimension, and ours."""


@dataclass(frozen=True, slots=True)
class OpenAICheckpoint:
    """What a `.pt` file holds."""

    dimensions: ModelDimensions
    weights: Mapping[str, WeightArray]


def load_openai_checkpoint(path: Path) -> OpenAICheckpoint:
    """Read a `.pt` file without torch and without executing any of it.

    Raises:
        InvalidCheckpoint: It is missing, truncated, malformed or not allowed; the sentence says which.
    """
    archive = open_torch_archive(path)
    dimensions = _read_dimensions(path, archive.content)
    tensors = _read_tensors(path, archive.content)
    check_shapes(path, dimensions, {name: tensor.shape for name, tensor in tensors.items()})
    weights = {name: read_tensor(archive.data, view) for name, view in archive.views(tensors).items()}
    return OpenAICheckpoint(dimensions, MappingProxyType(weights))


def _read_dimensions(path: Path, content: Any) -> ModelDimensions:  # noqa: ANN401 (untrusted)
    dims = content.get("dims") if isinstance(content, dict) else None
    if not isinstance(dims, dict):
        raise InvalidCheckpoint(path, "its `dims` are missing: not a checkpoint of OpenAI's Whisper.")
    missing = [name for name in _DIMENSIONS if type(dims.get(name)) is not int]
    if missing:
        raise InvalidCheckpoint(path, f"its `dims` hold no whole number {missing[0]}.")
    dimensions = ModelDimensions(**{ours: dims[theirs] for theirs, ours in _DIMENSIONS.items()})
    check_dimensions(path, dimensions)
    return dimensions


def _read_tensors(path: Path, content: dict[Any, Any]) -> dict[str, TensorRecord]:
    tensors = content.get("model_state_dict")
    if not isinstance(tensors, dict):
        raise InvalidCheckpoint(path, "its `model_state_dict` is missing: not a checkpoint of OpenAI's Whisper.")
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, TensorRecord):
            raise InvalidCheckpoint(path, f"its `model_state_dict` holds no tensor under {name!r:.99}.")
    return tensors
