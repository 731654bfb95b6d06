"""A recorder like a browser's MediaRecorder: Opus in a container that is written while somebody speaks."""

import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
from av.audio.stream import AudioStream

from whisper_inference.streaming.frames import Encoding

_OPTIONS: Final[dict[Encoding, dict[str, str]]] = {
    "webm_opus": {"live": "1", "cluster_time_limit": "1000"},
    "ogg_opus": {"page_duration": "200000"},
}
_RATE: Final = 48_000


class _Pipe:
    """Something that can only be written to, so that no size is filled in later."""

    def __init__(self) -> None:
        self.written = bytearray()

    def write(self, data: bytes) -> int:
        self.written += data
        return len(data)


def record(clip: Path | bytes, encoding: Encoding, *, layout: str = "mono", codec: str = "libopus") -> bytes:
    """Record what a clip plays."""
    pipe = _Pipe()
    source = io.BytesIO(clip) if isinstance(clip, bytes) else str(clip)
    container = encoding.removesuffix("_opus")
    with av.open(source, "r") as sound, av.open(pipe, "w", format=container, options=_OPTIONS[encoding]) as out:
        stream = out.add_stream(codec, rate=_RATE)
        assert isinstance(stream, AudioStream)
        stream.layout = layout
        stream.codec_context.options = {"strict": "experimental"}
        wanted = "s16" if codec == "libopus" else "fltp"
        resampler = av.AudioResampler(format=wanted, layout=layout, rate=_RATE, frame_size=960)
        for frame in sound.decode(audio=0):
            for resampled in resampler.resample(frame):
                out.mux(stream.encode(resampled))
        for resampled in resampler.resample(None):
            out.mux(stream.encode(resampled))
        out.mux(stream.encode(None))
    return bytes(pipe.written)


def cut(recording: bytes, seed: int, longest: int = 4000) -> Iterator[bytes]:
    """Yield a recording in pieces of any length."""
    lengths = random.Random(seed)  # noqa: S311 - no secret
    offset = 0
    while offset < len(recording):
        length = lengths.randint(1, longest)
        yield recording[offset : offset + length]
        offset += length
