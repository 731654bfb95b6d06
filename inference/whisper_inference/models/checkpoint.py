"""A Whisper checkpoint in memory: its shape, its weights under OpenAI's names, and what decoding must know of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from whisper_inference.models.dimensions import ModelDimensions
from whisper_inference.models.tokenizer import Tokenizer

WeightArray: TypeAlias = NDArray[np.float16] | NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything that an engine and the decoding rules need of a model, wherever it came from."""

    name: str
    """The repository name or the file's stem, for example `openai/whisper-base`."""
    path: Path
    fingerprint: str
    """SHA-256 over the weight files' names, sizes and contents: the identity of a compiled model's cache."""
    dimensions: ModelDimensions
    weights: Mapping[str, WeightArray]
    """OpenAI's names (`encoder.blocks.0.attn.query.weight`), row-major; bf16 files are widened to float32."""
    tokenizer: Tokenizer
    suppressed_tokens: tuple[int, ...]
    """Never sampled: OpenAI's non-speech tokens, or `generation_config.json`'s list."""
    alignment_heads: tuple[tuple[int, int], ...]
    """`(layer, head)` pairs whose cross-attention follows the audio; by default, all heads of the upper half."""
