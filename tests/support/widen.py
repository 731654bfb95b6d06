"""The demo model at the size of a real Whisper: the same function at the larger size's full cost.

Every hidden vector becomes `r` copies of itself, and layers that add nothing are put below the trained ones. Real text
at real cost, for benchmarks and for comparing precisions and engines at a size that matters.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from typing_extensions import override

from whisper_inference.models.checkpoint import Checkpoint, WeightArray
from whisper_inference.models.dimensions import ModelDimensions
from whisper_inference.models.weight_names import expected_shapes, hugging_face_name

Size: TypeAlias = Literal["tiny", "base", "small", "medium"]

_REWRITTEN = ("config.json", "generation_config.json", "model.safetensors", "README.md")
_BRANCH_ENDS = ("attn.out", "cross_attn.out", "mlp.2")
"""The last matrix of each residual branch: where it is zero, the branch adds nothing."""


class _Shape(NamedTuple):
    width: int
    heads: int
    audio_layers: int
    text_layers: int


_SHAPES: Final[Mapping[Size, _Shape]] = MappingProxyType(
    {
        "tiny": _Shape(384, 6, 4, 4),
        "base": _Shape(512, 8, 6, 6),
        "small": _Shape(768, 12, 12, 12),
        "medium": _Shape(1024, 16, 24, 24),
    }
)


def widen(checkpoint: Checkpoint, size: Size) -> Checkpoint:
    """Return a checkpoint of the given size that computes the same function up to rounding.

    Its weights are float16 and made when they are asked for, each time anew: the whole of `medium` is 1.5 GB.

    Raises:
        ValueError: The size is no multiple of the checkpoint's.
    """
    wanted, before = _SHAPES[size], checkpoint.dimensions
    copies, rest = divmod(wanted.width, before.audio_width)
    if rest:
        raise ValueError(f"{size} is {wanted.width} wide, which is no multiple of {before.audio_width}.")
    after = replace(
        before,
        audio_width=wanted.width,
        audio_heads=wanted.heads,
        audio_layers=wanted.audio_layers,
        text_width=wanted.width,
        text_heads=wanted.heads,
        text_layers=wanted.text_layers,
    )
    idle = after.text_layers - before.text_layers
    return replace(
        checkpoint,
        name=f"{checkpoint.name}-{size}",
        fingerprint=hashlib.sha256(f"{checkpoint.fingerprint} {size}".encode()).hexdigest(),
        dimensions=after,
        weights=_WidenedWeights(checkpoint.weights, before, after, copies),
        alignment_heads=tuple((layer + idle, head) for layer, head in checkpoint.alignment_heads),
    )


def write_huggingface(checkpoint: Checkpoint, folder: Path, like: Path) -> Path:
    """Write a checkpoint as a folder in the Hugging Face layout and return the folder.

    Args:
        checkpoint: What to write, in float16.
        folder: Where; it is made if need be.
        like: A folder whose other files (tokenizer, preprocessing, generation) are taken over.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in like.iterdir():
        if file.is_file() and file.name not in _REWRITTEN:
            shutil.copyfile(file, folder / file.name)
    _rewrite_json(like / "config.json", folder / "config.json", _config(checkpoint.dimensions))
    heads = {"alignment_heads": [list(pair) for pair in checkpoint.alignment_heads]}
    _rewrite_json(like / "generation_config.json", folder / "generation_config.json", heads)
    tensors = {
        f"model.{hugging_face_name(name)}": weight.astype(np.float16) for name, weight in checkpoint.weights.items()
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@dataclass(frozen=True, slots=True)
class _WidenedWeights(Mapping[str, WeightArray]):
    source: Mapping[str, WeightArray]
    before: ModelDimensions
    after: ModelDimensions
    copies: int

    @override
    def __getitem__(self, name: str) -> WeightArray:
        shape = expected_shapes(self.after)[name]
        trained, idle = self._origin(name)
        if idle and trained.split(".", 3)[3].startswith(_BRANCH_ENDS):
            return np.zeros(shape, np.float16)
        return _tile(trained, self.source[trained].astype(np.float32), self.copies).astype(np.float16)

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(expected_shapes(self.after))

    @override
    def __len__(self) -> int:
        return len(expected_shapes(self.after))

    def _origin(self, name: str) -> tuple[str, bool]:
        """Return the trained tensor that a tensor is made of, and whether its layer is to add nothing."""
        side, *rest = name.split(".", 3)
        if rest[0] != "blocks":
            return name, False
        _, index, tail = rest
        layers = {
            "encoder": self.after.audio_layers - self.before.audio_layers,
            "decoder": self.after.text_layers - self.before.text_layers,
        }
        trained = int(index) - layers[side]
        return f"{side}.blocks.{max(trained, 0)}.{tail}", trained < 0


def _tile(name: str, value: NDArray[np.float32], copies: int) -> NDArray[np.float32]:
    if name.endswith("positional_embedding") or "token_embedding" in name:
        return np.tile(value, (1, copies))
    if name.startswith("decoder.ln."):  # the logits are a sum over all copies
        return np.tile(value / np.float32(copies), copies)
    if name == "encoder.conv1.weight":  # its input is the spectrogram, not a hidden vector
        return np.tile(value, (copies, 1, 1))
    if value.ndim == 1:
        return np.tile(value, copies)
    return np.tile(value / np.float32(copies), (copies, copies, *[1] * (value.ndim - 2)))


def _config(dimensions: ModelDimensions) -> dict[str, int]:
    return {
        "d_model": dimensions.audio_width,
        "num_hidden_layers": dimensions.audio_layers,
        "encoder_layers": dimensions.audio_layers,
        "encoder_attention_heads": dimensions.audio_heads,
        "encoder_ffn_dim": 4 * dimensions.audio_width,
        "decoder_layers": dimensions.text_layers,
        "decoder_attention_heads": dimensions.text_heads,
        "decoder_ffn_dim": 4 * dimensions.text_width,
    }


def _rewrite_json(source: Path, target: Path, changes: Mapping[str, Any]) -> None:
    document = json.loads(source.read_text(encoding="utf-8")) | changes
    target.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
