"""Decoded frames to 16 kHz mono float32, in blocks: FFmpeg's resampler costs a call each."""

from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np

from whisper_inference.arrays import FloatArray
from whisper_inference.audio.features import SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Shape:
    """What a frame's samples are; it may change within a stream."""

    sample_format: str
    layout: str
    channels: int
    rate: int

    @property
    def is_wanted(self) -> bool:
        """16 kHz mono, 16 bits: only its type has to change."""
        return self.rate == SAMPLE_RATE and self.channels == 1 and self.sample_format in {"s16", "s16p"}


def shape_of(frame: av.AudioFrame) -> Shape:
    """Return what a frame's samples are."""
    return Shape(frame.format.name, frame.layout.name, frame.layout.nb_channels, frame.sample_rate)


class Resampling:
    """Takes frames, gives blocks; one for each upload or stream.

    Args:
        block_seconds: The least that a block holds, but the last one.
    """

    def __init__(self, block_seconds: float = 1.0) -> None:
        self._block_seconds = block_seconds
        self._shape: Shape | None = None
        self._resampler: av.AudioResampler | None = None
        self._arrays: list[np.typing.NDArray[np.generic]] = []
        self._gathered = 0
        """Samples a channel."""

    def take(self, frame: av.AudioFrame) -> Iterator[FloatArray]:
        """Take a frame; yield what is ready."""
        shape = shape_of(frame)
        if shape != self._shape:
            yield from self.finish()
            self._shape = shape
            self._resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
        self._arrays.append(frame.to_ndarray())
        self._gathered += frame.samples
        if self._gathered >= shape.rate * self._block_seconds:
            yield from self._flush_block()

    def finish(self) -> Iterator[FloatArray]:
        """Yield what is left; the next frame begins anew."""
        if self._shape is None or self._resampler is None:
            return
        if self._arrays:
            yield from self._flush_block()
        if not self._shape.is_wanted:
            for resampled in self._resampler.resample(None):
                yield _finite(resampled.to_ndarray()[0])
        self._shape = None

    def _flush_block(self) -> Iterator[FloatArray]:
        if self._shape is None or self._resampler is None:
            return
        block = np.concatenate(self._arrays, axis=1)
        self._arrays, self._gathered = [], 0
        if self._shape.is_wanted:
            yield block[0].astype(np.float32) / np.float32(32768)
            return
        frame = av.AudioFrame.from_ndarray(block, format=self._shape.sample_format, layout=self._shape.layout)
        frame.sample_rate = self._shape.rate
        for resampled in self._resampler.resample(frame):
            yield _finite(resampled.to_ndarray()[0])


def _finite(samples: FloatArray) -> FloatArray:
    """Float formats may hold anything: what is no number is silence, what is too loud is cut."""
    return np.clip(np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0), -1, 1)
