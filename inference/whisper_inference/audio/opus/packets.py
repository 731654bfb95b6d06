"""Opus packets to samples, by FFmpeg's decoder, which is shown nothing of a container."""

import struct

import av
import av.error
import numpy as np

from whisper_inference.audio.opus.parts import HEAD_MAGIC, OPUS_RATE, OpusHead


class PacketDecoder:
    """Decodes the packets of one recording: each at most 120 ms.

    Args:
        head: Of the recording. What it says of samples to skip is left to the caller.
    """

    def __init__(self, head: OpusHead) -> None:
        codec = av.CodecContext.create("opus", "r")
        if not isinstance(codec, av.AudioCodecContext):
            raise TypeError("this is a codec of sound")
        codec.extradata = struct.pack("<8sBBHIhB", HEAD_MAGIC, 1, head.channels, 0, OPUS_RATE, head.gain, 0)
        codec.sample_rate = OPUS_RATE
        codec.layout = "mono" if head.channels == 1 else "stereo"
        self._codec = codec

    def decode(self, packet: bytes) -> list[av.AudioFrame] | None:
        """Return the sound of a packet; `None` if it is damaged."""
        if not packet:
            return None  # FFmpeg would take it for the end
        try:
            return self._codec.decode(av.Packet(packet))
        except av.error.FFmpegError:
            return None


def without_first(frame: av.AudioFrame, samples: int) -> av.AudioFrame:
    """Return a frame without its first samples, of which it has more."""
    left = np.ascontiguousarray(frame.to_ndarray()[:, samples:], dtype=np.float32)
    rest = av.AudioFrame.from_ndarray(left, format=frame.format.name, layout=frame.layout.name)
    rest.sample_rate = frame.sample_rate
    return rest
