"""Checkpoints of any shape with random weights, small enough to write in a test, in both layouts."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from whisper_inference.models.dimensions import ModelDimensions
from whisper_inference.models.special_tokens import standard_special_tokens
from whisper_inference.models.weight_names import expected_shapes, hugging_face_name

MULTILINGUAL = ModelDimensions(
    mel_bins=80,
    audio_context=1500,
    audio_width=4,
    audio_heads=2,
    audio_layers=2,
    vocabulary=51_865,
    text_context=448,
    text_width=4,
    text_heads=2,
    text_layers=2,
)
LARGE_V3 = replace(MULTILINGUAL, mel_bins=128, vocabulary=51_866)
TURBO = replace(LARGE_V3, audio_layers=6, text_layers=1)
"""Large-v3's encoder with few decoder layers, as turbo and the distilled models have them."""
ENGLISH = replace(MULTILINGUAL, vocabulary=51_864)

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


def random_weights(dimensions: ModelDimensions) -> dict[str, NDArray[np.float32]]:
    """Return float32 weights under OpenAI's names, the same ones at every call."""
    generator = np.random.default_rng(0)
    shapes = expected_shapes(dimensions).items()
    return {name: generator.standard_normal(shape, dtype=np.float32) for name, shape in shapes}


def openai_object(dimensions: ModelDimensions, dtype: torch.dtype = torch.float16) -> dict[str, Any]:
    """Return the object that OpenAI's `.pt` file would hold."""
    weights = {name: torch.from_numpy(weight).to(dtype) for name, weight in random_weights(dimensions).items()}
    dims = {OPENAI_NAMES[name]: value for name, value in asdict(dimensions).items()}
    return {"dims": dims, "model_state_dict": weights}


def write_huggingface(
    folder: Path, dimensions: ModelDimensions, weights: Mapping[str, NDArray[Any]] | None = None
) -> Path:
    """Write a folder in the Hugging Face layout and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = random_weights(dimensions) if weights is None else weights
    save_file(
        {f"model.{hugging_face_name(name)}": weight for name, weight in tensors.items()}, folder / "model.safetensors"
    )
    config = {
        "model_type": "whisper",
        "d_model": dimensions.audio_width,
        "num_mel_bins": dimensions.mel_bins,
        "max_source_positions": dimensions.audio_context,
        "max_target_positions": dimensions.text_context,
        "vocab_size": dimensions.vocabulary,
        "encoder_layers": dimensions.audio_layers,
        "encoder_attention_heads": dimensions.audio_heads,
        "decoder_layers": dimensions.text_layers,
        "decoder_attention_heads": dimensions.text_heads,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": dimensions.mel_bins}))
    (folder / "tokenizer.json").write_text(_tokenizer(dimensions.vocabulary), encoding="utf-8")
    return folder


@cache
def _tokenizer(vocabulary: int) -> str:
    dimensions = replace(MULTILINGUAL, vocabulary=vocabulary)
    name = "multilingual.json" if dimensions.multilingual else "english.json"
    document = json.loads(files("whisper_inference.models").joinpath("vocabulary", name).read_bytes())
    names = standard_special_tokens(dimensions).names()
    document["added_tokens"] = [{"id": token, "content": content} for token, content in names.items()]
    return json.dumps(document)
