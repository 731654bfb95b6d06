"""The decoder: a prompt for one row, or one token for each of several rows at positions of their own."""

import torch
from torch import Tensor
from torch.nn import functional

from whisper_inference.engines.pytorch.batch import Batch
from whisper_inference.engines.pytorch.layers import HEAD_WIDTH, Layers
from whisper_inference.models.dimensions import ModelDimensions


class TextDecoder:
    """Decoder weights and the ways to run them; keeps nothing between calls."""

    def __init__(self, layers: Layers, dimensions: ModelDimensions) -> None:
        self._layers = layers
        self._count = dimensions.text_layers

    def prompt(self, batch: Batch, row: int, tokens: Tensor) -> Tensor:
        """Write a row's first tokens `[n]` into its past; return the hidden states `[n, width]`."""
        hidden = self._embed(tokens[None], torch.arange(len(tokens), device=tokens.device))
        for index in range(self._count):
            block = f"decoder.blocks.{index}"
            query, keys, values = self._layers.self_projections(hidden, block)
            batch.past[index, 0, row, :, : len(tokens)] = keys[0]
            batch.past[index, 1, row, :, : len(tokens)] = values[0]
            attended = functional.scaled_dot_product_attention(query, keys, values, is_causal=True)
            hidden = self._finish_block(hidden, attended, block, batch.cross[index, :, row : row + 1])
        return hidden[0]

    def step(self, batch: Batch, rows: int, capacity: int) -> Tensor:
        """Append `batch.tokens` to the first rows, each at its own length; return logits `[rows, vocabulary]`.

        Everything it reads and writes is at fixed addresses and of fixed shapes: it can be captured.
        """
        lengths = batch.lengths[:rows]
        hidden = self._embed(batch.tokens[:rows, None], lengths[:, None])
        visible = torch.arange(capacity, device=lengths.device)[None, None, None, :] <= lengths[:, None, None, None]
        place = lengths[:, None, None, None].expand(-1, self._layers.heads, 1, HEAD_WIDTH)
        for index in range(self._count):
            block = f"decoder.blocks.{index}"
            query, keys, values = self._layers.self_projections(hidden, block)
            past_keys, past_values = batch.past[index, 0, :rows], batch.past[index, 1, :rows]
            past_keys.scatter_(2, place, keys)
            past_values.scatter_(2, place, values)
            attended = functional.scaled_dot_product_attention(
                query, past_keys[:, :, :capacity], past_values[:, :, :capacity], attn_mask=visible
            )
            hidden = self._finish_block(hidden, attended, block, batch.cross[index, :, :rows])
        return self.logits(hidden[:, 0])

    def logits(self, hidden: Tensor) -> Tensor:
        """`[n, width]` to `[n, vocabulary]`, in float32."""
        normal = self._layers.layer_norm(hidden, "decoder.ln")
        return functional.linear(normal, self._layers.weights["decoder.token_embedding.weight"]).float()

    def alignment_scores(self, cross: Tensor, tokens: Tensor, heads: list[tuple[int, int]]) -> Tensor:
        """Return the cross-attention scores of the given `(layer, head)` pairs, `[heads, n, audio_context]`."""
        hidden = self._embed(tokens[None], torch.arange(len(tokens), device=tokens.device))
        scores: dict[int, Tensor] = {}
        for index in range(self._count):
            block = f"decoder.blocks.{index}"
            attended = functional.scaled_dot_product_attention(
                *self._layers.self_projections(hidden, block), is_causal=True
            )
            between = hidden + self._layers.linear(self._layers.join_heads(attended), f"{block}.attn.out")
            scores[index] = (self._cross_query(between, block) @ cross[index, 0].mT)[0] * HEAD_WIDTH**-0.5
            hidden = self._finish_block(hidden, attended, block, cross[index][:, None])
        return torch.stack([scores[layer][head] for layer, head in heads]).float()

    def _embed(self, tokens: Tensor, positions: Tensor) -> Tensor:
        weights = self._layers.weights
        return functional.embedding(tokens, weights["decoder.token_embedding.weight"]) + functional.embedding(
            positions, weights["decoder.positional_embedding"]
        )

    def _cross_query(self, hidden: Tensor, block: str) -> Tensor:
        normal = self._layers.layer_norm(hidden, f"{block}.cross_attn_ln")
        return self._layers.split_heads(self._layers.linear(normal, f"{block}.cross_attn.query"))

    def _finish_block(self, hidden: Tensor, attended: Tensor, block: str, cross: Tensor) -> Tensor:
        """Add self-attention's outcome, listen to the audio `[keys and values, rows, …]`, feed forward."""
        layers = self._layers
        hidden = hidden + layers.linear(layers.join_heads(attended), f"{block}.attn.out")
        heard = functional.scaled_dot_product_attention(self._cross_query(hidden, block), cross[0], cross[1])
        hidden = hidden + layers.linear(layers.join_heads(heard), f"{block}.cross_attn.out")
        return layers.feed_forward(hidden, block)
