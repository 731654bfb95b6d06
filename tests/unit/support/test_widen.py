"""A widened checkpoint has the size it claims, and what was trained where it belongs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.widen import widen, write_huggingface
from whisper_inference.models.loading import load_checkpoint
from whisper_inference.models.weight_names import expected_shapes

DEMO = Path(__file__).parents[3] / "examples/models/demo"


def test_widened_weights_have_the_shapes_of_the_size() -> None:
    wide = widen(load_checkpoint(DEMO), "tiny")
    assert {name: weight.shape for name, weight in wide.weights.items()} == expected_shapes(wide.dimensions)
    assert wide.fingerprint != load_checkpoint(DEMO).fingerprint


def test_idle_layers_add_nothing_and_trained_ones_lie_above_them() -> None:
    demo = load_checkpoint(DEMO)
    wide = widen(demo, "base")
    for end in ("attn.out.weight", "cross_attn.out.bias", "mlp.2.weight"):
        assert not wide.weights[f"decoder.blocks.2.{end}"].any()
        assert wide.weights[f"decoder.blocks.3.{end}"].any()
    bias = wide.weights["decoder.blocks.5.mlp.0.bias"]
    assert np.array_equal(bias[:512], demo.weights["decoder.blocks.2.mlp.0.bias"].astype(np.float16))
    assert set(wide.alignment_heads) == {(layer + 3, head) for layer, head in demo.alignment_heads}


def test_a_written_checkpoint_loads_as_what_was_written(tmp_path: Path) -> None:
    wide = widen(load_checkpoint(DEMO), "tiny")
    loaded = load_checkpoint(write_huggingface(wide, tmp_path / "tiny", like=DEMO))
    assert loaded.dimensions == wide.dimensions
    assert loaded.alignment_heads == wide.alignment_heads
    assert loaded.suppressed_tokens == wide.suppressed_tokens
    assert all(np.array_equal(loaded.weights[name], weight) for name, weight in wide.weights.items())


def test_a_size_that_is_no_multiple_is_refused() -> None:
    demo = load_checkpoint(DEMO)
    odd = replace(demo, dimensions=replace(demo.dimensions, audio_width=100))
    with pytest.raises(ValueError, match="no multiple"):
        widen(odd, "tiny")
