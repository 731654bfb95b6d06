"""The decoder for rows that join and leave: caches come in as plain inputs and are the host's to keep.

Each row attends to its own past under its own mask, so rows at different positions share a batch. The past is never
concatenated with the new positions: scores against both are, which moves kilobytes in place of megabytes. Rows that
hear the same window share its cross-attention keys and values, so a beam of five reads them once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import openvino as ov
from openvino import opset15 as ops

from whisper_inference.engines.openvino.layers import Layers
from whisper_inference.models.checkpoint import Checkpoint
from whisper_inference.models.dimensions import ModelDimensions

_DYNAMIC: Final = -1


@dataclass(frozen=True, slots=True)
class DecoderShape:
    """Which of the graph's dimensions are fixed: all of them, for one row, or none."""

    rows: int = _DYNAMIC
    tokens: int = _DYNAMIC
    capacity: int = _DYNAMIC
    """Positions of the self-attention cache."""

    @property
    def dynamic(self) -> bool:
        """Any number of rows of any number of windows."""
        return self.rows == _DYNAMIC

    @property
    def scores(self) -> bool:
        """It can give alignment scores: they are asked for of many tokens at once."""
        return self.tokens != 1


@dataclass(frozen=True, slots=True)
class _Inputs:
    """In the order of the graph's parameters; four caches for each layer follow."""

    embedded: ov.Node
    """Token and position embeddings `[rows, tokens, width]`: looked up by the host, which has them already."""
    past_mask: ov.Node
    """`[rows, 1, 1, capacity]`: 0 where the row has a past, far below where it has none."""
    causal_mask: ov.Node
    """`[tokens, tokens]`: 0 on and below the diagonal, far below 0 above it."""
    logits_at: ov.Node
    """`[n]`: the positions, counted through all rows, whose logits are wanted; in a static graph all of them."""
    scored: ov.Node
    """`[1]`: of how many tokens alignment scores are wanted; a step wants none. Only in a dynamic graph."""


def build_decoder(checkpoint: Checkpoint, compute: ov.Type, shape: DecoderShape, *, int8: bool) -> ov.Model:
    """Build the decoder.

    Inputs: those of `_Inputs`, then for each layer the past keys and values `[rows, heads, capacity, head width]` and
    the cross-attention keys `[windows, heads, head width, audio_context]` and values
    `[windows, heads, audio_context, head width]`. Rows are in the order of their windows, as many for each.

    Outputs: logits `[n, vocabulary]`, then for each layer the new keys and values `[rows, heads, tokens, head width]`;
    last, where the shape has them, the cross-attention scores of the alignment heads, by layer,
    `[windows, heads, tokens, audio_context]`.
    """
    dimensions = checkpoint.dimensions
    head_width = dimensions.text_width // dimensions.text_heads
    layers = Layers(checkpoint.weights, dimensions.text_heads, head_width, int8)
    inputs = _parameters(dimensions.text_width, shape)
    caches = [_cache_parameters(dimensions, compute, shape) for _ in range(dimensions.text_layers)]
    hidden: ov.Node = inputs.embedded
    new: list[ov.Node] = []
    scores: list[ov.Node] = []
    for index, (past_keys, past_values, cross_keys, cross_values) in enumerate(caches):
        block = f"decoder.blocks.{index}"
        hidden, keys, values = _self_attention(hidden, layers, block, inputs, (past_keys, past_values))
        new += [ops.convert(keys, compute), ops.convert(values, compute)]
        hidden, attention = _cross_attention(hidden, layers, block, (cross_keys, cross_values))
        scores += _chosen_heads(attention, [head for layer, head in checkpoint.alignment_heads if layer == index])
        hidden = layers.feed_forward(hidden, block)
    outputs = [_logits(hidden, layers, inputs.logits_at), *new, *_score_outputs(scores, inputs, shape)]
    parameters = [inputs.embedded, inputs.past_mask, inputs.causal_mask, inputs.logits_at]
    if shape.dynamic:
        parameters.append(inputs.scored)
    return ov.Model(outputs, [*parameters, *(parameter for cache in caches for parameter in cache)], "decoder")


def _score_outputs(scores: Sequence[ov.Node], inputs: _Inputs, shape: DecoderShape) -> list[ov.Node]:
    if not (scores and shape.scores):
        return []
    every = ops.concat(list(scores), 1)
    return [_first_tokens(every, inputs.scored) if shape.dynamic else every]


def _parameters(width: int, shape: DecoderShape) -> _Inputs:
    return _Inputs(
        embedded=ops.parameter([shape.rows, shape.tokens, width], np.float32, name="embedded"),
        past_mask=ops.parameter([shape.rows, 1, 1, shape.capacity], np.float32, name="past_mask"),
        causal_mask=ops.parameter([shape.tokens, shape.tokens], np.float32, name="causal_mask"),
        logits_at=ops.parameter([shape.tokens], np.int64, name="logits_at"),
        scored=ops.parameter([1], np.int64, name="scored"),
    )


def _cache_parameters(dimensions: ModelDimensions, compute: ov.Type, shape: DecoderShape) -> tuple[ov.Node, ...]:
    heads, audio = dimensions.text_heads, dimensions.audio_context
    width = dimensions.text_width // heads
    past = [shape.rows, heads, shape.capacity, width]
    return (
        ops.parameter(past, compute),
        ops.parameter(past, compute),
        ops.parameter([shape.rows, heads, width, audio], compute),
        ops.parameter([shape.rows, heads, audio, width], compute),
    )


def _self_attention(
    hidden: ov.Node, layers: Layers, block: str, inputs: _Inputs, past: tuple[ov.Node, ov.Node]
) -> tuple[ov.Node, ov.Node, ov.Node]:
    normal = layers.layer_norm(hidden, f"{block}.attn_ln")
    query, keys, values = (
        layers.split_heads(layers.linear(normal, f"{block}.attn.{name}")) for name in ("query", "key", "value")
    )
    query = ops.multiply(query, ops.constant(layers.scale))
    past_keys, past_values = (ops.convert(cache, ov.Type.f32) for cache in past)
    of_past = ops.add(_matmul(query, past_keys, transposed=True), inputs.past_mask)
    of_new = ops.add(_matmul(query, keys, transposed=True), inputs.causal_mask)
    weights = ops.softmax(ops.concat([of_past, of_new], -1), -1)
    capacity = ops.gather(ops.shape_of(inputs.past_mask), np.array([3]), np.array(0))
    on_past = ops.slice(weights, np.array([0]), capacity, np.array([1]), np.array([3]))
    on_new = ops.slice(weights, capacity, np.array([np.iinfo(np.int64).max]), np.array([1]), np.array([3]))
    attended = ops.add(_matmul(on_past, past_values), _matmul(on_new, values))
    return ops.add(hidden, layers.linear(layers.join_heads(attended), f"{block}.attn.out")), keys, values


def _cross_attention(
    hidden: ov.Node, layers: Layers, block: str, cross: tuple[ov.Node, ov.Node]
) -> tuple[ov.Node, ov.Node]:
    normal = layers.layer_norm(hidden, f"{block}.cross_attn_ln")
    keys, values = (ops.convert(cache, ov.Type.f32) for cache in cross)
    windows = ops.gather(ops.shape_of(cross[0]), np.array([0]), np.array(0))
    # The rows of one window become further positions of it: [windows, rows of each * tokens, heads, head width].
    grouped = ops.concat([windows, np.array([-1, layers.heads, layers.head_width])], 0)
    query = ops.reshape(layers.linear(normal, f"{block}.cross_attn.query"), grouped, special_zero=False)
    scores = _matmul(ops.transpose(query, np.array([0, 2, 1, 3])), keys)
    attended = ops.transpose(_matmul(ops.softmax(scores, -1), values), np.array([0, 2, 1, 3]))
    joined = ops.reshape(attended, ops.shape_of(hidden), special_zero=False)
    return ops.add(hidden, layers.linear(joined, f"{block}.cross_attn.out")), scores


def _chosen_heads(scores: ov.Node, heads: Sequence[int]) -> list[ov.Node]:
    return [ops.gather(scores, np.array(sorted(heads)), np.array(1))] if heads else []


def _first_tokens(scores: ov.Node, count: ov.Node) -> ov.Node:
    return ops.slice(scores, np.array([0]), count, np.array([1]), np.array([2]))


def _logits(hidden: ov.Node, layers: Layers, logits_at: ov.Node) -> ov.Node:
    width = layers.heads * layers.head_width
    chosen = ops.gather(ops.reshape(hidden, np.array([-1, width]), special_zero=False), logits_at, np.array(0))
    normal = layers.layer_norm(chosen, "decoder.ln")
    embedding = layers.matrix(layers.weights["decoder.token_embedding.weight"])
    return ops.matmul(normal, embedding, transpose_a=False, transpose_b=True)


def _matmul(left: ov.Node, right: ov.Node, *, transposed: bool = False) -> ov.Node:
    return ops.matmul(left, right, transpose_a=False, transpose_b=transposed)
