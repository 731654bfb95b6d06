"""`PyTorchEngine`: the engine protocol over torch tensors on CUDA or a CPU."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from whisper_inference.arrays import FloatArray
from whisper_inference.engines.base import Capabilities, Device, Precision, RowId, WindowId
from whisper_inference.engines.limits import require_positions
from whisper_inference.engines.processor import processor_name
from whisper_inference.engines.pytorch.batch import Batch
from whisper_inference.engines.pytorch.decoder import TextDecoder
from whisper_inference.engines.pytorch.encoder import encode
from whisper_inference.engines.pytorch.layers import Layers
from whisper_inference.engines.pytorch.precision import PrecisionChoice, choose_dtype
from whisper_inference.engines.pytorch.stepping import CapturedStepper, EagerStepper, Stepper
from whisper_inference.errors import DeviceUnavailable, EngineFailed
from whisper_inference.models.checkpoint import Checkpoint
from whisper_inference.models.dimensions import ModelDimensions

_NAMES: Final[dict[torch.dtype, Precision]] = {torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}


@dataclass(frozen=True, slots=True)
class PyTorchSettings:
    """How to run a checkpoint."""

    device: Device = "cpu"
    """`gpu` is CUDA."""
    precision: PrecisionChoice = "auto"
    max_rows: int = 8
    threads: int | None = None
    """For the CPU; `None` leaves it to torch."""


@dataclass(slots=True)
class _Row:
    name: RowId
    window: WindowId
    length: int


class PyTorchEngine:
    """A checkpoint on CUDA or a CPU. Live rows are kept in front of the batch, so that a step reads no others."""

    def __init__(self, checkpoint: Checkpoint, settings: PyTorchSettings | None = None) -> None:
        settings = settings or PyTorchSettings()
        self._device = _device(settings.device)
        if settings.threads and self._device.type == "cpu":
            torch.set_num_threads(settings.threads)
        self._dtype = choose_dtype(settings.precision, self._device)
        self._dimensions = dimensions = checkpoint.dimensions
        self._alignment_heads = list(checkpoint.alignment_heads)
        with _memory_errors():
            weights = checkpoint.weights
            self._encoder = Layers.load(weights, dimensions.audio_heads, self._device, self._dtype, "encoder.")
            self._layers = Layers.load(weights, dimensions.text_heads, self._device, self._dtype, "decoder.")
            self._batch = Batch(dimensions, settings.max_rows, self._device, self._dtype)
        self._decoder = TextDecoder(self._layers, dimensions)
        self._stepper = self._make_stepper(settings.max_rows)
        self._windows: dict[WindowId, Tensor] = {}
        self._rows: list[_Row | None] = [None] * settings.max_rows
        self._numbers = count()
        self._capabilities = Capabilities(
            engine="pytorch",
            device=settings.device,
            device_name=_device_name(self._device),
            precision=_NAMES[self._dtype],
            simulated=False,
            max_rows=settings.max_rows,
            word_timestamps=True,
        )

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do."""
        return self._capabilities

    @property
    def dimensions(self) -> ModelDimensions:
        """The shape of the loaded model."""
        return self._dimensions

    @torch.inference_mode()
    def encode(self, log_mel: FloatArray) -> WindowId:
        """Encode one window."""
        window = WindowId(next(self._numbers))
        with _memory_errors():
            features = torch.from_numpy(np.ascontiguousarray(log_mel[None])).to(self._device, self._dtype)
            self._windows[window] = encode(features, self._encoder, self._layers, self._dimensions)
        return window

    def release(self, window: WindowId) -> None:
        """Forget a window and finish every row that listens to it."""
        del self._windows[window]
        self._rows = [None if row and row.window == window else row for row in self._rows]

    @torch.inference_mode()
    def start(
        self, window: WindowId, tokens: Sequence[int], rows: int, logits_at: Sequence[int]
    ) -> tuple[list[RowId], FloatArray]:
        """Begin rows: the prompt runs once, further rows take a copy of what it left."""
        cross = self._windows[window]
        places = [index for index, row in enumerate(self._rows) if row is None][:rows]
        if len(places) < rows:
            live = sum(1 for row in self._rows if row)
            raise EngineFailed(f"{live} rows live and {rows} more are wanted; this engine has {len(self._rows)}.")
        require_positions(len(tokens), self._dimensions.text_context)
        first = places[0]
        self._batch.hear(first, cross)
        hidden = self._decoder.prompt(self._batch, first, torch.tensor(list(tokens), device=self._device))
        chosen = hidden[torch.tensor(list(logits_at), device=self._device)]
        logits: FloatArray = self._decoder.logits(chosen).cpu().numpy()
        started = []
        for place in places:
            if place != first:
                self._batch.copy_row(first, place, window=True)
            self._rows[place] = row = _Row(RowId(next(self._numbers)), window, len(tokens))
            started.append(row.name)
        return started, logits

    @torch.inference_mode()
    def step(self, rows: Sequence[RowId], tokens: Sequence[int]) -> FloatArray:
        """Append one token to each of the rows."""
        here = {self._place(row) for row in rows}
        positions = 1 + max(length for place, length in enumerate(self._lengths()) if place in here)
        require_positions(positions, self._dimensions.text_context)
        self._bring_forward(here, len(rows))
        places = [self._place(row) for row in rows]
        next_token = dict(zip(places, tokens, strict=True))
        # Rows that are not stepped may pad a captured bucket: they write where their own next token will overwrite.
        self._batch.set_inputs([next_token.get(place, 0) for place in range(len(self._rows))], self._lengths())
        logits = self._stepper.step(len(rows), self._batch.capacity_for(positions))
        for row in self._rows[: len(rows)]:  # these are the ones that were stepped
            if row is not None:
                row.length += 1
        answer: FloatArray = logits[torch.tensor(places, device=self._device)].cpu().numpy()
        return answer

    @torch.inference_mode()
    def copy_rows(self, sources: Sequence[RowId], targets: Sequence[RowId]) -> None:
        """Let each target continue from its source's history."""
        for source, target in zip(sources, targets, strict=True):
            origin, place = self._place(source), self._place(target)
            self._batch.copy_row(origin, place, window=False)
            from_row, to_row = self._rows[origin], self._rows[place]
            if from_row and to_row:
                to_row.length = from_row.length

    def finish(self, rows: Sequence[RowId]) -> None:
        """Free the rows."""
        for row in rows:
            self._rows[self._place(row)] = None

    @torch.inference_mode()
    def align(self, window: WindowId, tokens: Sequence[int]) -> FloatArray:
        """Score the tokens against the audio, from the beginning and without the caches."""
        wanted = torch.tensor(list(tokens), device=self._device)
        scores = self._decoder.alignment_scores(self._windows[window], wanted, self._alignment_heads)
        aligned: FloatArray = scores.cpu().numpy()
        return aligned

    def close(self) -> None:
        """Free the device's memory."""
        del self._windows, self._batch, self._encoder, self._layers, self._decoder, self._stepper

    def _make_stepper(self, max_rows: int) -> Stepper:
        if self._device.type == "cuda":  # pragma: no cover - needs CUDA
            return CapturedStepper(self._decoder, self._batch, max_rows)
        return EagerStepper(self._decoder, self._batch)

    def _lengths(self) -> list[int]:
        return [row.length if row else 0 for row in self._rows]

    def _place(self, name: RowId) -> int:
        for index, row in enumerate(self._rows):
            if row and row.name == name:
                return index
        raise KeyError(f"row {name} does not live")

    def _bring_forward(self, chosen: set[int], wanted: int) -> None:
        """Let the chosen rows be the first: idle rows before them change places with the last ones."""
        late = sorted(place for place in chosen if place >= wanted)
        for place in (place for place in range(wanted) if place not in chosen):
            other = late.pop()
            if self._rows[place] is None:
                self._batch.copy_row(other, place, window=True)
            else:
                self._batch.swap_rows(other, place)
            self._rows[place], self._rows[other] = self._rows[other], self._rows[place]


def _device(device: Device) -> torch.device:
    if device == "npu":
        raise DeviceUnavailable("PyTorch does not run on the NPU; OpenVINO does.")
    if device == "gpu" and not torch.cuda.is_available():
        raise DeviceUnavailable("PyTorch sees no CUDA device here.")
    return torch.device("cuda" if device == "gpu" else "cpu")


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":  # pragma: no cover - needs CUDA
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    return processor_name(cpuinfo.read_text() if cpuinfo.exists() else "")


@contextmanager
def _memory_errors() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as problem:
        message = "The device has too little memory for this model and this many rows: fewer rows need less."
        raise EngineFailed(message) from problem
