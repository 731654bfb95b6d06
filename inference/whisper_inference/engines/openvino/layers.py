"""The layers that Whisper is made of, as OpenVINO nodes over a checkpoint's weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset15 as ops

from whisper_inference.arrays import FloatArray
from whisper_inference.models.checkpoint import WeightArray

_EPSILON: Final = 1e-5
_INT8_LIMIT: Final = 127
_ROWS_AT_A_TIME: Final = 4096
"""Rows that are quantised at once: the embedding whole would need three times its float32 size for a moment."""


@dataclass(frozen=True, slots=True)
class Layers:
    """Makes nodes from named weights."""

    weights: Mapping[str, WeightArray]
    heads: int
    head_width: int
    int8: bool = False
    """Matrices as 8-bit integers with one scale per output channel; vectors, convolutions and positions stay exact."""

    @property
    def scale(self) -> np.float32:
        """What scores are multiplied by before the softmax."""
        return np.float32(self.head_width**-0.5)

    def linear(self, value: ov.Node, name: str) -> ov.Node:
        """Multiply by `name.weight`, and add `name.bias` where there is one."""
        product = ops.matmul(value, self.matrix(self.weights[f"{name}.weight"]), transpose_a=False, transpose_b=True)
        bias = self.weights.get(f"{name}.bias")
        return product if bias is None else ops.add(product, constant(bias))

    def matrix(self, weight: WeightArray) -> ov.Node:
        """Hold a matrix `[out, in]`: as it was stored, in the checkpoint's own memory, or quantised per row."""
        if self.int8:
            quantised, scale = quantise(weight)
            return ops.multiply(ops.convert(ops.constant(quantised), ov.Type.f32), ops.constant(scale))
        node = ops.constant(weight, shared_memory=True)
        return node if weight.dtype == np.float32 else ops.convert(node, ov.Type.f32)

    def layer_norm(self, value: ov.Node, name: str) -> ov.Node:
        """Normalise the last axis (Ba et al. 2016)."""
        centred = ops.mvn(value, np.array([-1]), True, _EPSILON, "inside_sqrt")  # noqa: FBT003 - OpenVINO's signature
        scaled = ops.multiply(centred, constant(self.weights[f"{name}.weight"]))
        return ops.add(scaled, constant(self.weights[f"{name}.bias"]))

    def feed_forward(self, value: ov.Node, block: str) -> ov.Node:
        """The two-layer perceptron of a block, with its residual."""
        hidden = ops.gelu(self.linear(self.layer_norm(value, f"{block}.mlp_ln"), f"{block}.mlp.0"), "erf")
        return ops.add(value, self.linear(hidden, f"{block}.mlp.2"))

    def split_heads(self, value: ov.Node) -> ov.Node:
        """`[batch, positions, width]` to `[batch, heads, positions, head width]`."""
        split = ops.reshape(value, np.array([0, 0, self.heads, self.head_width]), special_zero=True)
        return ops.transpose(split, np.array([0, 2, 1, 3]))

    def join_heads(self, value: ov.Node) -> ov.Node:
        """`[batch, heads, positions, head width]` to `[batch, positions, width]`."""
        joined = ops.transpose(value, np.array([0, 2, 1, 3]))
        return ops.reshape(joined, np.array([0, 0, self.heads * self.head_width]), special_zero=True)


def constant(value: WeightArray) -> ov.Node:
    """Hold a small array in float32."""
    return ops.constant(value.astype(np.float32))


def quantise(weight: WeightArray) -> tuple[NDArray[np.int8], FloatArray]:
    """Round a matrix `[out, in]` to 8-bit integers, symmetrically, with a scale `[out, 1]` for each row.

    One scale for a whole embedding would not do: a few rows of tokens that were never trained are far larger.
    """
    quantised = np.empty(weight.shape, np.int8)
    scale = np.empty((len(weight), 1), np.float32)
    for first in range(0, len(weight), _ROWS_AT_A_TIME):
        here = slice(first, first + _ROWS_AT_A_TIME)
        values = weight[here].astype(np.float32)
        largest = np.abs(values).max(axis=1, keepdims=True)
        scale[here] = np.where(largest > 0, largest / _INT8_LIMIT, 1)
        quantised[here] = np.rint(values / scale[here])
    return quantised, scale
