"""What tensors a Whisper model has: their names at OpenAI and at Hugging Face, and their shapes."""

import re
from typing import Final

from whisper_inference.models.dimensions import ModelDimensions

Shape = tuple[int, ...]

_MLP_FACTOR: Final = 4
"""The hidden layer of a block is this many times as wide as the model."""

_HUGGING_FACE: Final = (
    (r"^(encoder|decoder)\.blocks\.", r"\1.layers."),
    (r"\.(attn|cross_attn)\.query\.", r".\1.q_proj."),
    (r"\.(attn|cross_attn)\.key\.", r".\1.k_proj."),
    (r"\.(attn|cross_attn)\.value\.", r".\1.v_proj."),
    (r"\.(attn|cross_attn)\.out\.", r".\1.out_proj."),
    (r"\.cross_attn_ln\.", ".encoder_attn_layer_norm."),
    (r"\.cross_attn\.", ".encoder_attn."),
    (r"\.attn_ln\.", ".self_attn_layer_norm."),
    (r"\.attn\.", ".self_attn."),
    (r"\.mlp_ln\.", ".final_layer_norm."),
    (r"\.mlp\.0\.", ".fc1."),
    (r"\.mlp\.2\.", ".fc2."),
    (r"^encoder\.ln_post\.", "encoder.layer_norm."),
    (r"^decoder\.ln\.", "decoder.layer_norm."),
    (r"\.positional_embedding$", ".embed_positions.weight"),
    (r"\.token_embedding\.", ".embed_tokens."),
)
"""OpenAI's spelling and that of transformers' `WhisperModel`, replaced in this order."""


def hugging_face_name(name: str) -> str:
    """Return transformers' name, without its leading `model.`, of the tensor that OpenAI calls `name`."""
    for pattern, replacement in _HUGGING_FACE:
        name = re.sub(pattern, replacement, name)
    return name


def expected_shapes(dimensions: ModelDimensions) -> dict[str, Shape]:
    """Return the shape of every tensor that a model of these dimensions has, by OpenAI's name."""
    audio, text = dimensions.audio_width, dimensions.text_width
    shapes: dict[str, Shape] = {
        "encoder.positional_embedding": (dimensions.audio_context, audio),
        **_linear("encoder.conv1", audio, dimensions.mel_bins, 3),
        **_linear("encoder.conv2", audio, audio, 3),
    }
    for layer in range(dimensions.audio_layers):
        shapes |= _block(f"encoder.blocks.{layer}", audio, ("attn",))
    shapes |= _norm("encoder.ln_post", audio)
    shapes["decoder.positional_embedding"] = (dimensions.text_context, text)
    shapes["decoder.token_embedding.weight"] = (dimensions.vocabulary, text)
    for layer in range(dimensions.text_layers):
        shapes |= _block(f"decoder.blocks.{layer}", text, ("attn", "cross_attn"))
    return shapes | _norm("decoder.ln", text)


def _block(name: str, width: int, attentions: tuple[str, ...]) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    for attention in attentions:
        for part in ("query", "value", "out"):
            shapes |= _linear(f"{name}.{attention}.{part}", width, width)
        shapes[f"{name}.{attention}.key.weight"] = (width, width)  # Whisper's keys have no bias
        shapes |= _norm(f"{name}.{attention}_ln", width)
    shapes |= _linear(f"{name}.mlp.0", _MLP_FACTOR * width, width)
    shapes |= _linear(f"{name}.mlp.2", width, _MLP_FACTOR * width)
    return shapes | _norm(f"{name}.mlp_ln", width)


def _linear(name: str, outputs: int, *inputs: int) -> dict[str, Shape]:
    return {f"{name}.weight": (outputs, *inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> dict[str, Shape]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}
