"""The layers that Whisper is made of, as OpenVINO nodes over a checkpoint's weights."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import openvino as ov
from openvino import opset15 as ops

from whisper_inference.models.checkpoint import WeightArray

HEAD_WIDTH = 64
"""Every published Whisper has heads of 64."""

_EPSILON = 1e-5
_INT8_LIMIT = 127


@dataclass(frozen=True, slots=True)
class Layers:
    """Makes nodes from named weights."""

    weights: Mapping[str, WeightArray]
    heads: int
    int8: bool = False
    """Matrices as 8-bit integers with one scale per output channel; vectors, convolutions and positions stay exact."""

    def linear(self, value: ov.Node, name: str) -> ov.Node:
        """Multiply by `name.weight`, and add `name.bias` where there is one."""
        product = ops.matmul(value, self.matrix(self.weights[f"{name}.weight"]), transpose_a=False, transpose_b=True)
        bias = self.weights.get(f"{name}.bias")
        return product if bias is None else ops.add(product, constant(bias))

    def matrix(self, weight: WeightArray) -> ov.Node:
        """Hold a matrix `[out, in]`: as it was stored, or quantised per row."""
        if not self.int8:
            node = ops.constant(weight)
            return node if weight.dtype == np.float32 else ops.convert(node, ov.Type.f32)
        values = weight.astype(np.float32)
        scale = np.abs(values).max(axis=1, keepdims=True) / _INT8_LIMIT
        scale[scale == 0] = 1
        quantised = np.rint(values / scale).astype(np.int8)
        return ops.multiply(ops.convert(ops.constant(quantised), ov.Type.f32), ops.constant(scale))

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
        """`[batch, positions, width]` to `[batch, heads, positions, 64]`."""
        split = ops.reshape(value, np.array([0, 0, self.heads, HEAD_WIDTH]), special_zero=True)
        return ops.transpose(split, np.array([0, 2, 1, 3]))

    def join_heads(self, value: ov.Node) -> ov.Node:
        """`[batch, heads, positions, 64]` to `[batch, positions, width]`."""
        joined = ops.transpose(value, np.array([0, 2, 1, 3]))
        return ops.reshape(joined, np.array([0, 0, self.heads * HEAD_WIDTH]), special_zero=True)


def constant(value: WeightArray) -> ov.Node:
    """Hold a small array in float32."""
    return ops.constant(value.astype(np.float32))
