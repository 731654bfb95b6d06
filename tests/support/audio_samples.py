"""Samples as the files that people upload."""

import io
from typing import Final

import av
import numpy as np
from av.audio.stream import AudioStream

from whisper_inference.arrays import FloatArray

SAMPLE_RATE: Final = 16_000

KINDS: Final = {
    "wav": ("wav", "pcm_s16le"),
    "mp3": ("mp3", "libmp3lame"),
    "flac": ("flac", "flac"),
    "ogg": ("ogg", "libopus"),
    "mp4": ("mp4", "aac"),
    "aac": ("adts", "aac"),
    "webm": ("webm", "libopus"),
}


def encode_samples(samples: FloatArray, kind: str, *, rate: int = SAMPLE_RATE, channels: int = 1) -> bytes:
    """Encode `[samples]` of 16 kHz mono; every channel says the same."""
    container_format, codec = KINDS[kind]
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    target = io.BytesIO()
    with av.open(target, "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        if not isinstance(stream, AudioStream):
            raise TypeError(f"{codec} is no audio codec")
        resampler = av.AudioResampler(
            format=stream.format.name, layout=layout, rate=rate, frame_size=_frame_size(codec)
        )
        pcm = (np.clip(samples, -1, 1) * 32767).astype(np.int16)
        for begin in range(0, len(pcm), SAMPLE_RATE):
            frame = av.AudioFrame.from_ndarray(pcm[None, begin : begin + SAMPLE_RATE], format="s16", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            for resampled in resampler.resample(frame):
                container.mux(stream.encode(resampled))
        for resampled in resampler.resample(None):
            container.mux(stream.encode(resampled))
        container.mux(stream.encode(None))
    return target.getvalue()


def _frame_size(codec: str) -> int | None:
    return {"libmp3lame": 1152, "aac": 1024, "libopus": 960}.get(codec)
