"""Every shape and spelling of the Hugging Face layout loads; what is missing or wrong in it is named."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from safetensors.torch import save_file as save_torch_file

from tests.support.small_checkpoints import (
    ENGLISH,
    LARGE_V3,
    MULTILINGUAL,
    TURBO,
    random_weights,
    write_huggingface,
)
from whisper_inference.errors import InvalidCheckpoint
from whisper_inference.models.dimensions import ModelDimensions
from whisper_inference.models.loading import default_alignment_heads, load_checkpoint
from whisper_inference.models.weight_names import hugging_face_name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_huggingface(tmp_path / "model", MULTILINGUAL)


def edit(path: Path, **changes: Any) -> None:  # noqa: ANN401 (JSON values)
    """Change or add values of a JSON file; `None` removes one."""
    document = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({key: value for key, value in (document | changes).items() if value is not None}))


@pytest.mark.parametrize("dimensions", [MULTILINGUAL, LARGE_V3, TURBO, ENGLISH], ids=["99", "v3", "turbo", "english"])
def test_every_shape_of_whisper_is_loaded(dimensions: ModelDimensions, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(write_huggingface(tmp_path / "model", dimensions))
    assert checkpoint.dimensions == dimensions
    assert checkpoint.tokenizer.multilingual == dimensions.multilingual
    expected = random_weights(dimensions)
    assert checkpoint.weights.keys() == expected.keys()
    for name, weight in expected.items():
        assert np.array_equal(checkpoint.weights[name], weight), name


def test_the_names_are_those_of_transformers() -> None:
    assert hugging_face_name("encoder.conv1.weight") == "encoder.conv1.weight"
    assert hugging_face_name("encoder.positional_embedding") == "encoder.embed_positions.weight"
    assert hugging_face_name("encoder.ln_post.bias") == "encoder.layer_norm.bias"
    assert hugging_face_name("encoder.blocks.11.attn.key.weight") == "encoder.layers.11.self_attn.k_proj.weight"
    assert hugging_face_name("decoder.token_embedding.weight") == "decoder.embed_tokens.weight"
    assert hugging_face_name("decoder.blocks.0.cross_attn.out.bias") == "decoder.layers.0.encoder_attn.out_proj.bias"
    assert hugging_face_name("decoder.blocks.0.cross_attn_ln.bias") == "decoder.layers.0.encoder_attn_layer_norm.bias"
    assert hugging_face_name("decoder.blocks.0.attn_ln.weight") == "decoder.layers.0.self_attn_layer_norm.weight"
    assert hugging_face_name("decoder.blocks.0.mlp_ln.weight") == "decoder.layers.0.final_layer_norm.weight"
    assert hugging_face_name("decoder.blocks.0.mlp.0.weight") == "decoder.layers.0.fc1.weight"
    assert hugging_face_name("decoder.blocks.0.mlp.2.weight") == "decoder.layers.0.fc2.weight"
    assert hugging_face_name("decoder.ln.weight") == "decoder.layer_norm.weight"


def test_bfloat16_is_widened(folder: Path) -> None:
    weights = {name: torch.from_numpy(weight).bfloat16() for name, weight in random_weights(MULTILINGUAL).items()}
    save_torch_file({hugging_face_name(name): weight for name, weight in weights.items()}, folder / "model.safetensors")
    loaded = load_checkpoint(folder).weights
    assert all(np.array_equal(loaded[name], weight.float().numpy()) for name, weight in weights.items())


def test_a_second_copy_of_the_embedding_is_ignored(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["proj_out.weight"] = tensors["model.decoder.embed_tokens.weight"]
    save_file(tensors, folder / "model.safetensors")
    assert "proj_out.weight" not in load_checkpoint(folder).weights


def shard(folder: Path) -> tuple[Path, Path]:
    """Turn a folder's single file into two shards and an index."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    halves = (names[::2], names[1::2])
    paths = tuple(folder / f"model-0000{number}-of-00002.safetensors" for number in (1, 2))
    for path, half in zip(paths, halves, strict=True):
        save_file({name: tensors[name] for name in half}, path)
    weight_map = {name: path.name for path, half in zip(paths, halves, strict=True) for name in half}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return paths[0], paths[1]


def test_shards_are_joined(folder: Path) -> None:
    shard(folder)
    loaded = load_checkpoint(folder).weights
    assert all(np.array_equal(loaded[name], weight) for name, weight in random_weights(MULTILINGUAL).items())


def test_a_missing_shard_is_named(folder: Path) -> None:
    _, second = shard(folder)
    second.unlink()
    with pytest.raises(InvalidCheckpoint, match=r"00002-of-00002\.safetensors: the file is missing"):
        load_checkpoint(folder)


def test_a_tensor_in_two_shards_is_refused(folder: Path) -> None:
    first, second = shard(folder)
    second.write_bytes(first.read_bytes())
    with pytest.raises(InvalidCheckpoint, match="is there twice"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    "name", ["../model.safetensors", "/etc/passwd", "..", "a/b.safetensors", "a\\b.safetensors", "model.bin", ""]
)
def test_an_index_cannot_lead_out_of_the_folder(name: str, folder: Path) -> None:
    shard(folder)
    edit(folder / "model.safetensors.index.json", weight_map={"model.encoder.conv1.weight": name})
    with pytest.raises(InvalidCheckpoint, match="which is no file beside it"):
        load_checkpoint(folder)


@pytest.mark.parametrize("weight_map", [{}, [], {"a": 1}, {"a": ["b"]}, None])
def test_an_index_without_files_is_refused(weight_map: object, folder: Path) -> None:
    shard(folder)
    edit(folder / "model.safetensors.index.json", weight_map=weight_map)
    with pytest.raises(InvalidCheckpoint, match="its weight_map lists no files"):
        load_checkpoint(folder)


def test_pickled_weights_alone_are_not_enough(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InvalidCheckpoint, match=r"the file is missing, and so is model\.safetensors\.index\.json"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("file", "changes", "problem"),
    [
        ("config.json", {"model_type": "wav2vec2"}, "model_type is 'wav2vec2', a Whisper has 'whisper'"),
        ("config.json", {"model_type": None}, "model_type is None"),
        ("config.json", {"activation_function": "relu"}, "activation_function is 'relu'"),
        ("config.json", {"scale_embedding": True}, "scale_embedding is True"),
        ("config.json", {"tie_word_embeddings": False}, "tie_word_embeddings is False"),
        ("config.json", {"d_model": None}, "d_model is missing or no whole number"),
        ("config.json", {"d_model": "4"}, "d_model is missing or no whole number"),
        ("config.json", {"decoder_layers": 10**9}, "text_layers is 1000000000"),
        ("config.json", {"num_mel_bins": 128}, "feature_size is 80, config.json has 128 num_mel_bins"),
        ("preprocessor_config.json", {"feature_size": 128}, "feature_size is 128, config.json has 80 num_mel_bins"),
        ("preprocessor_config.json", {"hop_length": 200}, "hop_length is 200, a Whisper has 160"),
        ("preprocessor_config.json", {"sampling_rate": 8000}, "sampling_rate is 8000, a Whisper has 16000"),
        ("config.json", {"vocab_size": 51_866}, "decoder.token_embedding.weight has the shape"),
        ("config.json", {"encoder_layers": 1}, "not part of a Whisper of these dimensions"),
        ("generation_config.json", {"suppress_tokens": "all"}, "suppress_tokens is no list"),
        ("generation_config.json", {"suppress_tokens": [1, 60_000]}, "suppress_tokens is no list"),
        ("generation_config.json", {"alignment_heads": [[2, 0]]}, "alignment_heads is no list of layers and heads"),
        ("generation_config.json", {"alignment_heads": [[0, 0, 0]]}, "alignment_heads is no list of layers and heads"),
        ("generation_config.json", {"alignment_heads": 7}, "alignment_heads is no list of layers and heads"),
    ],
)
def test_a_wrong_value_is_named(file: str, changes: dict[str, Any], problem: str, folder: Path) -> None:
    edit(folder / file, **changes)
    with pytest.raises(InvalidCheckpoint, match=problem):
        load_checkpoint(folder)


def test_without_a_list_openai_s_own_tokens_are_suppressed(folder: Path) -> None:
    checkpoint = load_checkpoint(folder)
    tokenizer = checkpoint.tokenizer
    assert set(tokenizer.non_speech_tokens) < set(checkpoint.suppressed_tokens)
    assert {tokenizer.transcribe, tokenizer.translate, tokenizer.no_speech} < set(checkpoint.suppressed_tokens)
    assert checkpoint.alignment_heads == default_alignment_heads(MULTILINGUAL) == ((1, 0), (1, 1))


@pytest.mark.parametrize(
    ("listed", "text_tokens"),
    [([], lambda _: set()), ([5, 7], lambda _: {5, 7}), ([-1, 5], lambda non_speech: {5, *non_speech})],
)
def test_a_list_is_obeyed_beside_the_control_tokens(
    listed: list[int], text_tokens: Callable[[tuple[int, ...]], set[int]], folder: Path
) -> None:
    edit(folder / "generation_config.json", suppress_tokens=listed, alignment_heads=[[0, 1], [1, 0]])
    checkpoint = load_checkpoint(folder)
    tokenizer = checkpoint.tokenizer
    control = {
        *(tokenizer.start_of_transcript, tokenizer.translate, tokenizer.transcribe),
        *(tokenizer.start_of_lm, tokenizer.start_of_previous, tokenizer.no_speech),
    }
    assert set(checkpoint.suppressed_tokens) == control | text_tokens(tokenizer.non_speech_tokens)
    assert checkpoint.alignment_heads == ((0, 1), (1, 0))


def test_the_stock_list_of_hugging_face_is_openai_s(tmp_path: Path) -> None:
    """`openai/whisper-base` lists the non-speech tokens and four of the six control tokens."""
    folder = write_huggingface(tmp_path / "model", MULTILINGUAL)
    default = load_checkpoint(folder)
    tokenizer = default.tokenizer
    stock = {*default.suppressed_tokens} - {tokenizer.translate, tokenizer.transcribe}
    edit(folder / "generation_config.json", suppress_tokens=sorted(stock))
    assert load_checkpoint(folder).suppressed_tokens == default.suppressed_tokens


def test_default_heads_are_the_upper_half_also_of_an_odd_decoder() -> None:
    assert default_alignment_heads(replace(MULTILINGUAL, text_layers=3)) == ((1, 0), (1, 1), (2, 0), (2, 1))
    assert default_alignment_heads(replace(MULTILINGUAL, text_layers=1)) == ((0, 0), (0, 1))
