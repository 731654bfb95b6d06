"""The decoder for rows that join and leave: caches come in as plain inputs and are the host's to keep.

Each row attends to its own past under its own mask, so rows at different positions share a batch. The past is never
concatenated with the new positions: scores against both are, which moves kilobytes in place of megabytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import openvino as ov
from openvino import opset15 as ops

from whisper_inference.engines.openvino.layers import HEAD_WIDTH, Layers
from whisper_inference.models.checkpoint import Checkpoint

_SCALE = np.float32(HEAD_WIDTH**-0.5)
_DYNAMIC = -1


@dataclass(frozen=True, slots=True)
class DecoderShape:
    """Which of the graph's dimensions are fixed; the NPU needs all of them."""

    rows: int = _DYNAMIC
    tokens: int = _DYNAMIC
    capacity: int = _DYNAMIC
    """Positions of the self-attention cache."""


@dataclass(frozen=True, slots=True)
class _Inputs:
    """In the order of the graph's parameters; one per layer follows for each cache."""

    embedded: ov.Node
    """Token and position embeddings `[rows, tokens, width]`: looked up by the host, which has them already."""
    past_mask: ov.Node
    """`[rows, 1, 1, capacity]`: 0 where the row has a past, far below where it has none."""
    causal_mask: ov.Node
    """`[tokens, tokens]`: 0 on and below the diagonal, far below 0 above it."""
    logits_at: ov.Node
    """`[n]`: the positions among the tokens whose logits are wanted."""


def build_decoder(
    checkpoint: Checkpoint, compute: ov.Type, shape: DecoderShape, *, int8: bool, align: bool = False
) -> ov.Model:
    """Build the decoder.

    Inputs: those of `_Inputs`, then for each layer the past keys and values `[rows, heads, capacity, 64]` and the
    cross-attention keys `[rows, heads, 64, audio_context]` and values `[rows, heads, audio_context, 64]`.

    Outputs: logits `[rows, n, vocabulary]`, then for each layer the new keys and values `[rows, heads, tokens, 64]`;
    with `align`, the cross-attention scores of the alignment heads `[rows, heads, tokens, audio_context]` in place of
    the logits.
    """
    dimensions = checkpoint.dimensions
    layers = Layers(checkpoint.weights, dimensions.text_heads, int8)
    inputs = _parameters(dimensions.text_width, shape)
    caches = [
        _cache_parameters(dimensions.text_heads, dimensions.audio_context, compute, shape)
        for _ in range(dimensions.text_layers)
    ]
    hidden: ov.Node = inputs.embedded
    new: list[ov.Node] = []
    scores: list[ov.Node] = []
    for index, (past_keys, past_values, cross_keys, cross_values) in enumerate(caches):
        block = f"decoder.blocks.{index}"
        hidden, keys, values = _self_attention(hidden, layers, block, inputs, (past_keys, past_values))
        new += [ops.convert(keys, compute), ops.convert(values, compute)]
        hidden, weights = _cross_attention(hidden, layers, block, (cross_keys, cross_values))
        scores += _chosen_heads(weights, [head for layer, head in checkpoint.alignment_heads if layer == index])
        hidden = layers.feed_forward(hidden, block)
    parameters = [inputs.embedded, inputs.past_mask, inputs.causal_mask]
    if align:
        first = ops.concat(scores, 1)
    else:
        first = _logits(hidden, layers, inputs.logits_at)
        parameters.append(inputs.logits_at)
    flat = [parameter for cache in caches for parameter in cache]
    return ov.Model([first, *new], [*parameters, *flat], "align" if align else "decoder")


def _parameters(width: int, shape: DecoderShape) -> _Inputs:
    return _Inputs(
        embedded=ops.parameter([shape.rows, shape.tokens, width], np.float32, name="embedded"),
        past_mask=ops.parameter([shape.rows, 1, 1, shape.capacity], np.float32, name="past_mask"),
        causal_mask=ops.parameter([shape.tokens, shape.tokens], np.float32, name="causal_mask"),
        logits_at=ops.parameter([shape.tokens], np.int64, name="logits_at"),
    )


def _cache_parameters(heads: int, audio_context: int, compute: ov.Type, shape: DecoderShape) -> tuple[ov.Node, ...]:
    past = [shape.rows, heads, shape.capacity, HEAD_WIDTH]
    return (
        ops.parameter(past, compute),
        ops.parameter(past, compute),
        ops.parameter([shape.rows, heads, HEAD_WIDTH, audio_context], compute),
        ops.parameter([shape.rows, heads, audio_context, HEAD_WIDTH], compute),
    )


def _self_attention(
    hidden: ov.Node, layers: Layers, block: str, inputs: _Inputs, past: tuple[ov.Node, ov.Node]
) -> tuple[ov.Node, ov.Node, ov.Node]:
    normal = layers.layer_norm(hidden, f"{block}.attn_ln")
    query, keys, values = (
        layers.split_heads(layers.linear(normal, f"{block}.attn.{name}")) for name in ("query", "key", "value")
    )
    query = ops.multiply(query, ops.constant(_SCALE))
    past_keys, past_values = (ops.convert(cache, ov.Type.f32) for cache in past)
    of_past = ops.add(ops.matmul(query, past_keys, False, True), inputs.past_mask)  # noqa: FBT003
    of_new = ops.add(ops.matmul(query, keys, False, True), inputs.causal_mask)  # noqa: FBT003
    weights = ops.softmax(ops.concat([of_past, of_new], -1), -1)
    capacity = ops.gather(ops.shape_of(inputs.past_mask), np.array([3]), np.array(0))
    on_past = ops.slice(weights, np.array([0]), capacity, np.array([1]), np.array([3]))
    on_new = ops.slice(weights, capacity, np.array([np.iinfo(np.int64).max]), np.array([1]), np.array([3]))
    attended = ops.add(ops.matmul(on_past, past_values, False, False), ops.matmul(on_new, values, False, False))  # noqa: FBT003
    return ops.add(hidden, layers.linear(layers.join_heads(attended), f"{block}.attn.out")), keys, values


def _cross_attention(
    hidden: ov.Node, layers: Layers, block: str, cross: tuple[ov.Node, ov.Node]
) -> tuple[ov.Node, ov.Node]:
    normal = layers.layer_norm(hidden, f"{block}.cross_attn_ln")
    query = layers.split_heads(layers.linear(normal, f"{block}.cross_attn.query"))
    keys, values = (ops.convert(cache, ov.Type.f32) for cache in cross)
    scores = ops.matmul(query, keys, False, False)  # noqa: FBT003
    attended = ops.matmul(ops.softmax(scores, -1), values, False, False)  # noqa: FBT003
    return ops.add(hidden, layers.linear(layers.join_heads(attended), f"{block}.cross_attn.out")), scores


def _chosen_heads(scores: ov.Node, heads: Sequence[int]) -> list[ov.Node]:
    return [ops.gather(scores, np.array(heads), np.array(1))] if heads else []


def _logits(hidden: ov.Node, layers: Layers, logits_at: ov.Node) -> ov.Node:
    chosen = ops.gather(hidden, logits_at, np.array(1))
    normal = layers.layer_norm(chosen, "decoder.ln")
    embedding = layers.matrix(layers.weights["decoder.token_embedding.weight"])
    return ops.matmul(normal, embedding, transpose_a=False, transpose_b=True)
