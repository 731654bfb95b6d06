"""The encoder, down to the cross-attention keys and values of every decoder layer."""

import torch
from torch import Tensor
from torch.nn import functional

from whisper_inference.engines.pytorch.layers import Layers
from whisper_inference.models.dimensions import ModelDimensions


def encode(log_mel: Tensor, encoder: Layers, decoder: Layers, dimensions: ModelDimensions) -> Tensor:
    """Encode one window.

    Args:
        log_mel: `[1, mel_bins, 3000]`, in the compute type.
        encoder: The weights under `encoder.`.
        decoder: The weights under `decoder.`.
        dimensions: The model's shape.

    Returns:
        `[decoder layers, keys and values, heads, audio_context, 64]`.
    """
    hidden = log_mel
    for name, stride in (("encoder.conv1", 1), ("encoder.conv2", 2)):
        kernel, bias = encoder.weights[f"{name}.weight"], encoder.weights[f"{name}.bias"]
        hidden = functional.gelu(functional.conv1d(hidden, kernel, bias, stride=stride, padding=1))
    hidden = hidden.transpose(1, 2) + encoder.weights["encoder.positional_embedding"]
    for index in range(dimensions.audio_layers):
        block = f"encoder.blocks.{index}"
        attended = functional.scaled_dot_product_attention(*encoder.self_projections(hidden, block))
        hidden = hidden + encoder.linear(encoder.join_heads(attended), f"{block}.attn.out")
        hidden = encoder.feed_forward(hidden, block)
    audio = encoder.layer_norm(hidden, "encoder.ln_post")
    cross = [
        decoder.split_heads(decoder.linear(audio, f"decoder.blocks.{index}.cross_attn.{part}"))[0]
        for index in range(dimensions.text_layers)
        for part in ("key", "value")
    ]
    return torch.stack(cross).view(dimensions.text_layers, 2, *cross[0].shape)
