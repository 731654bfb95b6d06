"""Whisper's layers over a checkpoint's weights on a device: plain functions, so that a step can be captured."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from whisper_inference.models.checkpoint import WeightArray

HEAD_WIDTH = 64
"""Every published Whisper has heads of 64."""


@dataclass(frozen=True, slots=True)
class Layers:
    """Named weights on a device, in the compute type."""

    weights: Mapping[str, Tensor]
    heads: int

    @classmethod
    def load(
        cls, weights: Mapping[str, WeightArray], heads: int, device: torch.device, dtype: torch.dtype, prefix: str
    ) -> "Layers":
        """Copy the weights under a prefix to the device; self-attention's three projections become one."""
        chosen = {name: value for name, value in weights.items() if name.startswith(prefix)}
        tensors = {name: torch.from_numpy(np.array(value)).to(device, dtype) for name, value in chosen.items()}
        for name in [name for name in tensors if name.endswith(".attn.query.weight")]:
            attention = name.removesuffix(".query.weight")
            parts = [tensors.pop(f"{attention}.{part}.weight") for part in ("query", "key", "value")]
            query, value = (tensors.pop(f"{attention}.{part}.bias") for part in ("query", "value"))
            tensors[f"{attention}.qkv.weight"] = torch.cat(parts)
            # The key has no bias in Whisper.
            tensors[f"{attention}.qkv.bias"] = torch.cat([query, torch.zeros_like(query), value])
        return cls(tensors, heads)

    def linear(self, value: Tensor, name: str) -> Tensor:
        """Multiply by `name.weight`, and add `name.bias` where there is one."""
        return functional.linear(value, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"))

    def layer_norm(self, value: Tensor, name: str) -> Tensor:
        """Normalise the last axis (Ba et al. 2016)."""
        return functional.layer_norm(
            value, value.shape[-1:], self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        )

    def feed_forward(self, value: Tensor, block: str) -> Tensor:
        """The two-layer perceptron of a block, with its residual."""
        hidden = functional.gelu(self.linear(self.layer_norm(value, f"{block}.mlp_ln"), f"{block}.mlp.0"))
        return value + self.linear(hidden, f"{block}.mlp.2")

    def self_projections(self, value: Tensor, block: str) -> tuple[Tensor, Tensor, Tensor]:
        """Return query, keys and values of self-attention, each `[rows, heads, positions, 64]`."""
        normal = self.layer_norm(value, f"{block}.attn_ln")
        query, keys, values = self.linear(normal, f"{block}.attn.qkv").chunk(3, dim=-1)
        return self.split_heads(query), self.split_heads(keys), self.split_heads(values)

    def split_heads(self, value: Tensor) -> Tensor:
        """`[rows, positions, width]` to `[rows, heads, positions, 64]`."""
        return value.view(*value.shape[:-1], self.heads, HEAD_WIDTH).transpose(1, 2)

    def join_heads(self, value: Tensor) -> Tensor:
        """`[rows, heads, positions, 64]` to `[rows, positions, width]`."""
        return value.transpose(1, 2).flatten(2)
