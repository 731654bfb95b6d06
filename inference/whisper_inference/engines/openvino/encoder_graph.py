"""The encoder, down to the cross-attention keys and values of every decoder layer: what a window is to its rows."""

import numpy as np
import openvino as ov
from openvino import opset15 as ops

from whisper_inference.arrays import FloatArray
from whisper_inference.engines.openvino.layers import Layers, constant
from whisper_inference.models.checkpoint import Checkpoint

_FRAMES = 3000


def build_encoder(checkpoint: Checkpoint, compute: ov.Type, *, int8: bool) -> ov.Model:
    """Build the encoder for one window; every shape is static.

    Its input is the log-mel spectrogram `[1, mel_bins, 3000]`. Its outputs are, for each decoder layer, the keys
    `[1, heads, head width, audio_context]`, transposed and scaled so that the decoder does neither at each step, and
    the values `[1, heads, audio_context, head width]`, both in the decoder's compute type.
    """
    dimensions = checkpoint.dimensions
    head_width = dimensions.audio_width // dimensions.audio_heads
    layers = Layers(checkpoint.weights, dimensions.audio_heads, head_width, int8)
    log_mel = ops.parameter([1, dimensions.mel_bins, _FRAMES], np.float32, name="log_mel")
    hidden = _convolve(log_mel, checkpoint)
    for index in range(dimensions.audio_layers):
        hidden = _block(hidden, layers, f"encoder.blocks.{index}")
    audio = layers.layer_norm(hidden, "encoder.ln_post")
    head_width = dimensions.text_width // dimensions.text_heads
    cross = Layers(checkpoint.weights, dimensions.text_heads, head_width, int8)
    outputs = [node for index in range(dimensions.text_layers) for node in _cross(audio, cross, index)]
    return ov.Model([ops.convert(node, compute) for node in outputs], [log_mel], "encoder")


def _convolve(log_mel: ov.Node, checkpoint: Checkpoint) -> ov.Node:
    hidden = log_mel
    for name, stride in (("encoder.conv1", 1), ("encoder.conv2", 2)):
        kernel: FloatArray = checkpoint.weights[f"{name}.weight"].astype(np.float32)
        bias = checkpoint.weights[f"{name}.bias"].astype(np.float32)
        convolved = ops.convolution(hidden, ops.constant(kernel), [stride], [1], [1], [1])
        hidden = ops.gelu(ops.add(convolved, ops.constant(bias[None, :, None])), "erf")
    positions = constant(checkpoint.weights["encoder.positional_embedding"])
    return ops.add(ops.transpose(hidden, np.array([0, 2, 1])), positions)


def _block(hidden: ov.Node, layers: Layers, block: str) -> ov.Node:
    normal = layers.layer_norm(hidden, f"{block}.attn_ln")
    query, key, value = (
        layers.split_heads(layers.linear(normal, f"{block}.attn.{name}")) for name in ("query", "key", "value")
    )
    attended = layers.join_heads(ops.scaled_dot_product_attention(query, key, value))
    return layers.feed_forward(ops.add(hidden, layers.linear(attended, f"{block}.attn.out")), block)


def _cross(audio: ov.Node, layers: Layers, index: int) -> tuple[ov.Node, ov.Node]:
    block = f"decoder.blocks.{index}.cross_attn"
    keys = layers.split_heads(ops.multiply(layers.linear(audio, f"{block}.key"), ops.constant(layers.scale)))
    return ops.transpose(keys, np.array([0, 1, 3, 2])), layers.split_heads(layers.linear(audio, f"{block}.value"))
