"""Binary frames to sound: PCM and G.711 of any rate and size to 16 kHz mono, as it comes."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

import av
import numpy as np

from whisper_inference.arrays import FloatArray
from whisper_inference.audio.features import SAMPLE_RATE
from whisper_inference.audio.resampling import Resampling

Encoding: TypeAlias = Literal["pcm_s16le", "pcm_f32le", "pcm_mulaw", "pcm_alaw", "webm_opus", "ogg_opus"]
"""FFmpeg's names, which are the codecs' own: linear PCM, and G.711 as telephones send it. Then Opus as browsers record
it, in its container: these are decoded by `recordings`."""
BYTES_PER_SAMPLE: Final[Mapping[Encoding, int]] = {"pcm_s16le": 2, "pcm_f32le": 4, "pcm_mulaw": 1, "pcm_alaw": 1}
BLOCK_SECONDS: Final = 0.04
"""Sound is passed on in blocks of this length at least: the resampler costs a call each."""


class Origin(NamedTuple):
    """Where a client's sound has to begin, or go on: counted in what it sends, from the first on."""

    sample: int
    byte: int


class SoundDecoder(Protocol):
    """Decodes one stream's frames."""

    origin: Origin
    """Where the first of them begins."""

    def take(self, frame: bytes) -> FloatArray:
        """Return the sound that is complete with this frame, `[n]` float32 at 16 kHz."""
        ...

    def finish(self) -> FloatArray:
        """Return what is left."""
        ...

    def place(self, heard: int) -> bytes:
        """Describe what another decoder must know to go on, once so many samples (16 kHz) are kept."""
        ...


class FrameDecoder:
    """Decodes raw samples. A frame may end within one.

    Args:
        encoding: A key of `BYTES_PER_SAMPLE`.
        sample_rate: As the client sends it.
        heard: Samples (16 kHz) that are here already.
    """

    def __init__(self, encoding: Encoding, sample_rate: int, heard: int = 0) -> None:
        codec = av.CodecContext.create(encoding, "r")
        if not isinstance(codec, av.AudioCodecContext):
            raise TypeError("these are codecs of sound")
        codec.sample_rate = sample_rate
        codec.layout = "mono"
        self._codec = codec
        self._width = BYTES_PER_SAMPLE[encoding]
        self._rest = b""
        self._resampling = Resampling(BLOCK_SECONDS)
        first = heard * sample_rate // SAMPLE_RATE
        self.origin = Origin(first, first * self._width)

    def take(self, frame: bytes) -> FloatArray:
        """Return the sound that is complete with this frame, `[n]` float32 at 16 kHz."""
        data = self._rest + frame
        whole = len(data) // self._width * self._width
        self._rest = data[whole:]
        if not whole:
            return np.zeros(0, dtype=np.float32)
        return joined([b for f in self._codec.decode(av.Packet(data[:whole])) for b in self._resampling.take(f)])

    def finish(self) -> FloatArray:
        """Return what is left; half a sample at the end is none."""
        return joined(list(self._resampling.finish()))

    def place(self, heard: int) -> bytes:  # noqa: ARG002 - samples follow from each other
        """Return nothing: any sample tells where its sound goes on."""
        return b""


def joined(blocks: Sequence[FloatArray]) -> FloatArray:
    """Return blocks as one."""
    return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)
