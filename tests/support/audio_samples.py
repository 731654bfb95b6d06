"""Sound encoded in each kind of file that people send, with FFmpeg's own encoders."""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.audio.stream import AudioStream

from whisper_inference.arrays import FloatArray

_FRAME_SAMPLES = 960


@dataclass(frozen=True, slots=True)
class Encoding:
    """A kind of file and how to make it."""

    name: str
    container: str
    codec: str
    sample_format: str
    rate: int = 48_000
    lossless: bool = False
    channels: int = 1
    """FFmpeg's Vorbis encoder is stereo only."""


ENCODINGS = (
    Encoding("wav", "wav", "pcm_s16le", "s16", lossless=True),
    Encoding("wav24", "wav", "pcm_s24le", "s32", lossless=True),
    Encoding("wav_float", "wav", "pcm_f32le", "flt", lossless=True),
    Encoding("wav_16k", "wav", "pcm_s16le", "s16", rate=16_000, lossless=True),
    Encoding("mp3", "mp3", "libmp3lame", "fltp"),
    Encoding("flac", "flac", "flac", "s16", lossless=True),
    Encoding("ogg_opus", "ogg", "libopus", "s16"),
    Encoding("ogg_vorbis", "ogg", "vorbis", "fltp", channels=2),
    Encoding("ogg_flac", "ogg", "flac", "s16", lossless=True),
    Encoding("m4a", "ipod", "aac", "fltp"),
    Encoding("aac", "adts", "aac", "fltp"),
    Encoding("m4a_alac", "ipod", "alac", "s16p", lossless=True),
    Encoding("webm_opus", "webm", "libopus", "s16"),
    Encoding("mkv_vorbis", "matroska", "vorbis", "fltp", channels=2),
)
BY_NAME = {encoding.name: encoding for encoding in ENCODINGS}


def tone(seconds: float, rate: int = 48_000, hertz: float = 440.0) -> FloatArray:
    """Return a sine `[samples]` at half the full scale."""
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def encode(sound: FloatArray, encoding: Encoding, *, channels: int | None = None, cover: bool = False) -> bytes:
    """Encode `[samples]` float32 at the encoding's rate; each channel holds the same sound."""
    layouts = {1: "mono", 2: "stereo"}
    file = io.BytesIO()
    with av.open(file, "w", format=encoding.container) as container:
        stream = container.add_stream(encoding.codec, rate=encoding.rate, format=encoding.sample_format)
        assert isinstance(stream, AudioStream)
        stream.layout = layouts[channels or encoding.channels]
        stream.codec_context.options = {"strict": "experimental"}
        picture = container.add_stream("mjpeg", rate=1, width=64, height=64, pix_fmt="yuvj420p") if cover else None
        if picture:
            picture.disposition = av.stream.Disposition.attached_pic
            container.mux(picture.encode(av.VideoFrame(64, 64, "yuvj420p")))
            container.mux(picture.encode(None))
        for frame in _frames(sound, encoding, stream.layout.name):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def wav(data: bytes, *, channels: int = 1, rate: int = 16_000, bits: int = 16, kind: int = 1) -> bytes:
    """Write a WAV file by hand, whatever the numbers say; kind 3 is floating point."""
    frame_bytes = channels * bits // 8
    head = struct.pack("<HHIIHH", kind, channels, rate, rate * frame_bytes % 2**32, frame_bytes % 2**16, bits)
    chunks = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def _frames(sound: FloatArray, encoding: Encoding, layout: str) -> Iterator[av.AudioFrame]:
    resampler = av.AudioResampler(format=encoding.sample_format, layout=layout, rate=encoding.rate)
    position = 0
    for start in range(0, len(sound), _FRAME_SAMPLES):
        frame = av.AudioFrame.from_ndarray(sound[None, start : start + _FRAME_SAMPLES], format="flt", layout="mono")
        frame.sample_rate = encoding.rate
        for converted in resampler.resample(frame):
            converted.pts, converted.time_base = position, Fraction(1, encoding.rate)
            position += converted.samples
            yield converted
