"""openai-whisper's own model behind the Engine protocol: slow, without caches, and the reference for all others."""

from collections.abc import Sequence
from itertools import count

import numpy as np
import torch
import whisper
from whisper.model import disable_sdpa

from whisper_inference.arrays import FloatArray
from whisper_inference.engines.base import Capabilities, RowId, WindowId
from whisper_inference.models.dimensions import ModelDimensions


class WhisperModelEngine:
    """Runs the whole history of a row at every step."""

    def __init__(self, model: whisper.Whisper) -> None:
        self._model = model
        self._numbers = count()
        self._windows: dict[WindowId, torch.Tensor] = {}
        self._rows: dict[RowId, tuple[WindowId, list[int]]] = {}
        self.capabilities = Capabilities("pytorch", "cpu", "openai-whisper", "f32", False, 16, True)  # noqa: FBT003
        dims = model.dims
        self.dimensions = ModelDimensions(
            dims.n_mels,
            dims.n_audio_ctx,
            dims.n_audio_state,
            dims.n_audio_head,
            dims.n_audio_layer,
            dims.n_vocab,
            dims.n_text_ctx,
            dims.n_text_state,
            dims.n_text_head,
            dims.n_text_layer,
        )

    @torch.inference_mode()
    def encode(self, log_mel: FloatArray) -> WindowId:
        """Keep the encoder's output."""
        window = WindowId(next(self._numbers))
        self._windows[window] = self._model.encoder(torch.from_numpy(log_mel)[None])
        return window

    def release(self, window: WindowId) -> None:
        """Forget the window and its rows."""
        del self._windows[window]
        self._rows = {row: entry for row, entry in self._rows.items() if entry[0] != window}

    def start(
        self, window: WindowId, tokens: Sequence[int], rows: int, logits_at: Sequence[int]
    ) -> tuple[list[RowId], FloatArray]:
        """Begin rows."""
        started = [RowId(next(self._numbers)) for _ in range(rows)]
        for row in started:
            self._rows[row] = (window, list(tokens))
        return started, self._logits(window, tokens, logits_at)

    def step(self, rows: Sequence[RowId], tokens: Sequence[int]) -> FloatArray:
        """Append a token to each row."""
        logits = []
        for row, token in zip(rows, tokens, strict=True):
            window, history = self._rows[row]
            history.append(token)
            logits.append(self._logits(window, history, (len(history) - 1,))[0])
        return np.stack(logits)

    def copy_rows(self, sources: Sequence[RowId], targets: Sequence[RowId]) -> None:
        """Copy histories."""
        for source, target in zip(sources, targets, strict=True):
            window, history = self._rows[source]
            self._rows[target] = (window, list(history))

    def finish(self, rows: Sequence[RowId]) -> None:
        """Forget rows."""
        for row in rows:
            del self._rows[row]

    @torch.inference_mode()
    def align(self, window: WindowId, tokens: Sequence[int]) -> FloatArray:
        """Record the cross-attention scores of the alignment heads."""
        scores: dict[int, torch.Tensor] = {}
        hooks = [
            block.cross_attn.register_forward_hook(
                lambda _module, _inputs, output, index=index: scores.__setitem__(index, output[-1][0])
            )
            for index, block in enumerate(self._model.decoder.blocks)
        ]
        with disable_sdpa():
            self._model.decoder(torch.tensor([list(tokens)]), self._windows[window])
        for hook in hooks:
            hook.remove()
        heads = self._model.alignment_heads.indices().T.tolist()
        return torch.stack([scores[layer][head] for layer, head in heads]).float().numpy()

    def close(self) -> None:
        """Hold nothing."""

    @torch.inference_mode()
    def _logits(self, window: WindowId, tokens: Sequence[int], at: Sequence[int]) -> FloatArray:
        """Run openai-whisper's `TextDecoder.forward`, but for the logits of positions that nobody asked for."""
        decoder = self._model.decoder
        hidden = decoder.token_embedding(torch.tensor([list(tokens)])) + decoder.positional_embedding[: len(tokens)]
        for block in decoder.blocks:
            hidden = block(hidden, self._windows[window], mask=decoder.mask)
        logits: FloatArray = (decoder.ln(hidden)[0, list(at)] @ decoder.token_embedding.weight.T).numpy()
        return logits
