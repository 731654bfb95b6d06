"""`OpenVinoEngine`: the engine protocol over two compiled graphs and the caches of a running batch."""

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
import openvino as ov

from whisper_inference.arrays import FloatArray
from whisper_inference.engines.base import Capabilities, RowId, WindowId
from whisper_inference.engines.limits import require_positions
from whisper_inference.engines.openvino.caches import PastCache, WindowCache
from whisper_inference.engines.openvino.decoders import DecoderCall, cache_dtype, shared_tensor
from whisper_inference.engines.openvino.loading import OpenVinoSettings, load_graphs
from whisper_inference.engines.openvino.seating import Party, seat, seat_alone
from whisper_inference.errors import EngineFailed, UnsupportedField
from whisper_inference.models.checkpoint import Checkpoint
from whisper_inference.models.dimensions import ModelDimensions

_FRAMES = 3000


class OpenVinoEngine:
    """A checkpoint on one of OpenVINO's devices.

    The Intel GPU runs the CPU's dynamic graphs in f16, the NPU static ones; neither was run on real hardware yet.

    Raises:
        DeviceUnavailable: OpenVINO sees no such device.
        UnsupportedPrecision: The device cannot compute in what was asked for.
        RuntimeError: OpenVINO's own, where a graph does not compile or run.
    """

    def __init__(self, checkpoint: Checkpoint, settings: OpenVinoSettings | None = None) -> None:
        settings = settings or OpenVinoSettings()
        graphs = load_graphs(checkpoint, settings)
        self._capabilities = graphs.capabilities
        self._dimensions = dimensions = checkpoint.dimensions
        self._embedding = checkpoint.weights["decoder.token_embedding.weight"]
        self._positions = checkpoint.weights["decoder.positional_embedding"]
        order = sorted(range(len(checkpoint.alignment_heads)), key=checkpoint.alignment_heads.__getitem__)
        self._head_order = np.argsort(order)
        self._compute = graphs.compute
        self._in_use = graphs.in_use
        self._encoder = graphs.encoder
        self._decoder = graphs.decoder
        dtype: np.dtype[Any] = cache_dtype(graphs.compute)
        capacity = None if graphs.decoder.batches else dimensions.text_context
        self._heard = WindowCache(dimensions, dtype, settings.max_rows)
        self._past = PastCache(dimensions, dtype, settings.max_rows, capacity)
        self._window_of: dict[RowId, WindowId] = {}
        self._numbers = count()
        self._warm_up()

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do."""
        return self._capabilities

    @property
    def dimensions(self) -> ModelDimensions:
        """The shape of the loaded model."""
        return self._dimensions

    def encode(self, log_mel: FloatArray) -> WindowId:
        """Encode one window straight into its place among the others."""
        window = WindowId(next(self._numbers))
        self._encoder.set_input_tensor(0, ov.Tensor(np.ascontiguousarray(log_mel[None], dtype=np.float32)))
        for index, array in enumerate(self._heard.take(window)):
            self._encoder.set_output_tensor(index, shared_tensor(array, self._compute))
        try:
            self._encoder.infer()
        except RuntimeError:
            self._heard.slots.free(window)
            raise
        return window

    def release(self, window: WindowId) -> None:
        """Forget a window and finish every row that listens to it."""
        self._heard.slots.free(window)
        self.finish([row for row, heard in self._window_of.items() if heard == window])

    def start(
        self, window: WindowId, tokens: Sequence[int], rows: int, logits_at: Sequence[int]
    ) -> tuple[list[RowId], FloatArray]:
        """Begin rows: the prompt runs once, and each row takes a copy of what it left."""
        live = len(self._window_of)
        if live + rows > self._capabilities.max_rows:
            message = f"{live} rows live and {rows} more are wanted; this engine has {self._capabilities.max_rows}."
            raise EngineFailed(message)
        answer = self._decoder.run(self._prompt(window, tokens, logits_at))
        started = [RowId(next(self._numbers)) for _ in range(rows)]
        for row in started:
            self._past.take(row, answer.new)
            self._window_of[row] = window
        return started, answer.logits.copy()

    def step(self, rows: Sequence[RowId], tokens: Sequence[int]) -> FloatArray:
        """Append one token to each of the rows."""
        positions = 1 + max(self._past.lengths[row] for row in rows)
        require_positions(positions, self._dimensions.text_context)
        self._past.make_room(positions)
        place = seat if self._decoder.batches else seat_alone
        parties = place(rows, self._window_of, self._heard.slots.places, self._past.slots.places)
        if self._decoder.batches:
            self._arrange(parties)
        next_token = dict(zip(rows, tokens, strict=True))
        if len(parties) == 1:
            return self._step_party(parties[0], rows, next_token)
        logits = np.empty((len(rows), self._dimensions.vocabulary), np.float32)
        for party in parties:
            at = [index for index, row in enumerate(rows) if row in party.seats]
            logits[at] = self._step_party(party, [rows[index] for index in at], next_token)
        return logits

    def copy_rows(self, sources: Sequence[RowId], targets: Sequence[RowId]) -> None:
        """Let each target continue from its source's history."""
        for source, target in zip(sources, targets, strict=True):
            self._past.copy(source, target)

    def finish(self, rows: Sequence[RowId]) -> None:
        """Free the rows."""
        for row in rows:
            self._past.free(row)
            del self._window_of[row]

    def align(self, window: WindowId, tokens: Sequence[int]) -> FloatArray:
        """Score the tokens against the audio, from the beginning; no row is touched.

        Raises:
            UnsupportedField: No alignment heads of this model are known.
        """
        scores = self._decoder.run(self._prompt(window, tokens, (), scored=True)).scores
        if scores is None:
            raise UnsupportedField("This model has no alignment heads.", param="timestamp_granularities")
        aligned: FloatArray = scores[self._head_order]
        return aligned

    def close(self) -> None:
        """Free the device: OpenVINO does when the last reference goes."""
        del self._encoder, self._decoder, self._heard, self._past
        self._in_use.close()

    def _warm_up(self) -> None:
        """Run each graph once: what cannot run must fail while another device can still be chosen."""
        window = self.encode(np.zeros((self._dimensions.mel_bins, _FRAMES), np.float32))
        rows, _ = self.start(window, [0, 0], 1, [1])
        self.step(rows, [0])
        self.release(window)

    def _prompt(
        self, window: WindowId, tokens: Sequence[int], logits_at: Sequence[int], *, scored: bool = False
    ) -> DecoderCall:
        require_positions(len(tokens), self._dimensions.text_context)
        cross = self._heard.views(self._heard.slots.place_of(window), 1)
        return DecoderCall(self._embed([tokens], [0]), cross, [0], None, logits_at, scored)

    def _arrange(self, parties: Sequence[Party]) -> None:
        windows: dict[WindowId, int] = {}
        rows: dict[RowId, int] = {}
        for party in parties:
            windows |= {window: party.first_window + index for index, window in enumerate(party.windows)}
            seats = {row: party.first_seat + index for index, row in enumerate(party.seats) if row is not None}
            rows |= seats
        self._past.reserve(parties[-1].first_seat + len(parties[-1].seats))
        self._heard.slots.arrange(windows, self._heard.move)
        self._past.slots.arrange(rows, self._past.move)

    def _step_party(self, party: Party, rows: Sequence[RowId], next_token: dict[RowId, int]) -> FloatArray:
        lengths = [0 if row is None else self._past.lengths[row] for row in party.seats]
        tokens = [[0 if row is None else next_token[row]] for row in party.seats]
        seats = [party.seats.index(row) for row in rows]
        call = DecoderCall(
            embedded=self._embed(tokens, lengths),
            cross=self._heard.views(party.first_window, len(party.windows)),
            lengths=lengths,
            past=self._past.views(party.first_seat, len(party.seats)),
            logits_at=seats,
        )
        answer = self._decoder.run(call)
        self._past.append(rows, answer.new, seats)
        return answer.logits

    def _embed(self, tokens: Sequence[Sequence[int]], lengths: Sequence[int]) -> FloatArray:
        positions = np.array(lengths)[:, None] + np.arange(len(tokens[0]))
        embedded: FloatArray = self._embedding[np.array(tokens)].astype(np.float32)
        return embedded + self._positions[positions].astype(np.float32)
