"""One decoder step for the first rows of a batch: run as it is, or replayed from a captured CUDA graph."""

from typing import Protocol

import torch
from torch import Tensor

from whisper_inference.engines.pytorch.batch import Batch
from whisper_inference.engines.pytorch.decoder import TextDecoder


class Stepper(Protocol):
    """Steps the batch's first rows, whose inputs are set."""

    def step(self, rows: int, capacity: int) -> Tensor:
        """Return logits `[at least rows, vocabulary]`; the next call may overwrite them."""
        ...


class EagerStepper:
    """Launches each operation; for the CPU."""

    def __init__(self, decoder: TextDecoder, batch: Batch) -> None:
        self._decoder, self._batch = decoder, batch

    def step(self, rows: int, capacity: int) -> Tensor:
        """Run the rows as they are."""
        return self._decoder.step(self._batch, rows, capacity)


class CapturedStepper:
    """Replays a CUDA graph per bucket of rows and capacity: without it, launches are 83 to 91 % of a step.

    Written to the measured design and not run on a GPU in the change that added it. Rows that pad a bucket step, too,
    and write where their own next token will overwrite.
    """

    def __init__(self, decoder: TextDecoder, batch: Batch, most_rows: int) -> None:
        self._decoder, self._batch, self._most_rows = decoder, batch, most_rows
        self._graphs: dict[tuple[int, int], tuple[torch.cuda.CUDAGraph, Tensor]] = {}

    def step(self, rows: int, capacity: int) -> Tensor:
        """Replay the bucket's graph, capturing it on its first use."""
        bucket = row_bucket(rows, self._most_rows)
        if (bucket, capacity) not in self._graphs:
            self._graphs[bucket, capacity] = self._capture(bucket, capacity)
        graph, logits = self._graphs[bucket, capacity]
        graph.replay()
        return logits

    def _capture(
        self, rows: int, capacity: int
    ) -> tuple[torch.cuda.CUDAGraph, Tensor]:  # pragma: no cover - needs CUDA
        # A step is idempotent: it writes each row's token at the row's own length, so warming up changes nothing.
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call] # torch leaves it unannotated
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._decoder.step(self._batch, rows, capacity)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            logits = self._decoder.step(self._batch, rows, capacity)
        return graph, logits


def row_bucket(rows: int, most: int) -> int:
    """Return the next power of two, at most `most`."""
    return min(most, 1 << (rows - 1).bit_length())
