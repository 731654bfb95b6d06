"""A checkpoint of one's own making: Whisper's shape, random weights, small enough to compile in a moment."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.small_checkpoints import MULTILINGUAL, random_weights
from whisper_inference.models.checkpoint import Checkpoint
from whisper_inference.models.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def random_checkpoint() -> Checkpoint:
    """Two layers of two heads of 8, in float16, with weights small enough that nothing saturates."""
    dimensions = replace(MULTILINGUAL, audio_width=16, text_width=16)
    weights = {name: (weight * 0.3).astype(np.float16) for name, weight in random_weights(dimensions).items()}
    return Checkpoint(
        name="random",
        path=Path("random"),
        fingerprint="0" * 64,
        dimensions=dimensions,
        weights=weights,
        tokenizer=Tokenizer.shipped(dimensions),
        suppressed_tokens=(),
        alignment_heads=((1, 1), (0, 1), (1, 0)),
    )
