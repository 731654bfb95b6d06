"""Both layouts come to the same checkpoint, and what is no Whisper is named."""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from whisper_inference.errors import InvalidCheckpoint, ModelNotFound
from whisper_inference.models.checkpoint import Checkpoint
from whisper_inference.models.loading import load_checkpoint

DEMO = Path(__file__).parents[4] / "examples/models/demo"

OPENAI_NAMES = {
    "mel_bins": "n_mels",
    "audio_context": "n_audio_ctx",
    "audio_width": "n_audio_state",
    "audio_heads": "n_audio_head",
    "audio_layers": "n_audio_layer",
    "vocabulary": "n_vocab",
    "text_context": "n_text_ctx",
    "text_width": "n_text_state",
    "text_heads": "n_text_head",
    "text_layers": "n_text_layer",
}


@pytest.fixture(scope="module")
def demo() -> Checkpoint:
    return load_checkpoint(DEMO)


def as_openai(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the object of the `.pt` file that OpenAI would have published."""
    dims = {OPENAI_NAMES[name]: value for name, value in asdict(checkpoint.dimensions).items()}
    tensors = {name: torch.from_numpy(weight) for name, weight in checkpoint.weights.items()}
    return {"dims": dims, "model_state_dict": tensors}


def test_the_demo_model_loads(demo: Checkpoint) -> None:
    assert demo.name == "demo"
    assert demo.dimensions.audio_layers == 4
    assert demo.dimensions.text_layers == 3
    assert demo.weights["decoder.token_embedding.weight"].shape == (51_865, 128)
    assert demo.alignment_heads == ((1, 0), (1, 1), (2, 0), (2, 1))
    assert demo.tokenizer.decode(demo.tokenizer.encode(" Red.")) == " Red."


def test_weights_are_not_copied_out_of_the_file(demo: Checkpoint) -> None:
    for name, weight in demo.weights.items():
        assert weight.dtype == np.float16, name
        assert weight.flags.c_contiguous, name
        assert weight.flags.aligned, name
        assert not weight.flags.owndata, name


def test_a_pt_file_comes_to_the_same_checkpoint(demo: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "listener.pt"
    torch.save(as_openai(demo), path)
    loaded = load_checkpoint(path)
    assert loaded.name == "listener"
    assert loaded.dimensions == demo.dimensions
    assert loaded.suppressed_tokens == demo.suppressed_tokens
    assert loaded.alignment_heads == demo.alignment_heads
    assert loaded.tokenizer.special == demo.tokenizer.special
    assert loaded.weights.keys() == demo.weights.keys()
    assert all(np.array_equal(weight, demo.weights[name]) for name, weight in loaded.weights.items())


def test_nothing_at_the_path_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="no such file or folder"):
        load_checkpoint(tmp_path / "absent")


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ggml-base.bin"
    path.write_bytes(b"lmgg")
    with pytest.raises(InvalidCheckpoint, match=r"neither a folder in the Hugging Face layout nor a \.pt file"):
        load_checkpoint(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the demo model that a test may damage."""
    return Path(shutil.copytree(DEMO, tmp_path / "model"))


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(name: str, folder: Path) -> None:
    (folder / name).unlink()
    with pytest.raises(InvalidCheckpoint, match="missing") as refusal:
        load_checkpoint(folder)
    assert refusal.value.path == folder / name


def test_the_fingerprint_follows_the_weights_alone(folder: Path, demo: Checkpoint) -> None:
    (folder / "README.md").write_text("another card")
    assert load_checkpoint(folder).fingerprint == demo.fingerprint
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    assert load_checkpoint(folder).fingerprint != demo.fingerprint
