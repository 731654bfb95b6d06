"""Untrusted bytes to 16 kHz mono samples, with every limit held while reading.

FFmpeg's libraries decode, through PyAV, from memory: no name of a file or address ever reaches them.
"""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final

import av
import av.error
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.container import InputContainer

from whisper_inference.arrays import FloatArray
from whisper_inference.audio.ceiling import limit_allocations
from whisper_inference.audio.containers import FORMATS_IN_WORDS, LONGEST_MAGIC, demuxer_of
from whisper_inference.audio.features import SAMPLE_RATE
from whisper_inference.audio.resampling import Resampling, Shape, shape_of
from whisper_inference.audio.tags import UntaggedFile, end_of_leading_tags, find_tags
from whisper_inference.errors import (
    AudioDecodingTimeout,
    AudioTooLong,
    UnreadableAudio,
    UnsupportedAudioFormat,
    UploadTooLarge,
)
from whisper_inference.transcription import Seconds

_CODECS: Final = frozenset({"aac", "aac_latm", "alac", "flac", "libopus", "mp3", "mp3float", "opus", "vorbis"})
_MOST_STREAMS: Final = 16
_OPTIONS: Final = {"max_streams": str(_MOST_STREAMS), "probesize": "1000000", "analyzeduration": "1000000"}
_OPTIONS_OF: Final[dict[str, dict[str, str]]] = {
    # FFmpeg copies the whole index for each edit: a file of 6 KB takes 17 s and 2 GB.
    "mov": {"advanced_editlist": "0"},
    # 2 s of 16 kHz mono a packet instead of 0.1 s, for each costs a call; and no search for other codecs in the
    # samples: 60 s take 6 ms instead of 29.
    "wav": {"max_size": "65536", "max_probe_packets": "1"},
}
_TAGGED: Final = frozenset({"wav", "aac"})
"""Demuxers that read ID3 tags in the middle of a file."""
_FEWEST_SAMPLES: Final = SAMPLE_RATE // 100
_DAMAGED: Final = "The audio is damaged or cut off: send the whole file, or convert it to WAV or FLAC."


@dataclass(frozen=True, slots=True)
class AudioLimits:
    """What one upload may cost."""

    max_upload_bytes: int = 100 * 2**20
    max_duration: Seconds = 300
    max_decoding: Seconds = 60
    """Wall-clock time."""
    max_channels: int = 8
    min_sample_rate: int = 4_000
    max_sample_rate: int = 192_000


def decode_audio(source: bytes | BinaryIO, limits: AudioLimits) -> FloatArray:
    """Decode an upload.

    Returns:
        `[samples]` float32 in -1 to 1, 16 kHz mono.

    Raises:
        UploadTooLarge: It has more bytes than allowed.
        UnsupportedAudioFormat: Its first bytes are of no kind that is decoded here, or its codec is not.
        UnreadableAudio: It cannot be decoded, or holds no sound.
        AudioTooLong: It plays for longer than allowed.
        AudioDecodingTimeout: Decoding took longer than allowed.
    """
    return np.concatenate([np.zeros(0, dtype=np.float32), *decode_blocks(source, limits)])


def decode_blocks(source: bytes | BinaryIO, limits: AudioLimits) -> Iterator[FloatArray]:
    """Decode an upload piece by piece, for what is too long to be held whole; see `decode_audio`.

    What the caller does between two blocks does not count as time spent on decoding.
    """
    deadline, samples = _Deadline(limits.max_decoding), 0
    with _opened(source, limits, deadline) as container:
        for block in _Bounded(container, limits, deadline).blocks():
            samples += len(block)
            with deadline.paused():
                yield block
    if samples < _FEWEST_SAMPLES:
        raise UnreadableAudio("The upload holds no sound: check that the recording is not empty.", param="file")


def probe_audio(source: bytes | BinaryIO, limits: AudioLimits) -> Seconds | None:
    """Look at an upload without decoding it; return how long it says that it is, which need not be true.

    Raises:
        WhisperError: It is refused at once; as `decode_audio`.
    """
    deadline = _Deadline(limits.max_decoding)
    with _opened(source, limits, deadline) as container:
        _Bounded(container, limits, deadline)
        duration = container.duration
    return None if duration is None or duration <= 0 else duration / av.time_base


@contextmanager
def _opened(source: bytes | BinaryIO, limits: AudioLimits, deadline: "_Deadline") -> Iterator[InputContainer]:
    limit_allocations()
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    _check_size(file, limits)
    with _typed_errors(), _open(file, deadline) as container:
        yield container


class _Deadline:
    """The wall-clock time at which decoding must be over."""

    def __init__(self, seconds: Seconds) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let the time inside not count."""
        began = time.monotonic()
        yield
        self._end += time.monotonic() - began

    def check(self) -> None:
        """Raise once it is past."""
        if time.monotonic() > self._end:
            raise AudioDecodingTimeout(
                f"Decoding took longer than {self._seconds:g} s: convert the audio to WAV or FLAC.", param="file"
            )


def _open(file: BinaryIO, deadline: _Deadline) -> InputContainer:
    start = end_of_leading_tags(file)
    file.seek(start)
    demuxer = demuxer_of(file.read(LONGEST_MAGIC)) or ("mp3" if start else None)
    if demuxer is None:
        raise UnsupportedAudioFormat(f"This is no audio that is decoded here; send {FORMATS_IN_WORDS}.", param="file")
    tags = tuple(find_tags(file)) if demuxer in _TAGGED else ()
    untagged = UntaggedFile(file, start, tags, deadline.check)
    options = _OPTIONS | _OPTIONS_OF.get(demuxer, {})
    return av.open(untagged, "r", format=demuxer, options=options, metadata_errors="ignore")


class _Bounded:
    """Decodes a container's first audio stream, and stops at the first limit that is met."""

    def __init__(self, container: InputContainer, limits: AudioLimits, deadline: _Deadline) -> None:
        self._container, self._limits, self._deadline = container, limits, deadline
        self._stream = self._choose_stream()
        self._mp4 = "mp4" in container.format.name
        self._samples_left = int(limits.max_duration * SAMPLE_RATE)

    def blocks(self) -> Iterator[FloatArray]:
        """Yield the sound piece by piece."""
        resampling = Resampling()
        for frame in self._frames():
            self._check_shape(shape_of(frame))
            yield from self._counted(resampling.take(frame))
        yield from self._counted(resampling.finish())

    def _choose_stream(self) -> AudioStream:
        if len(self._container.streams) > _MOST_STREAMS:
            raise UnreadableAudio(f"The file has more than {_MOST_STREAMS} streams: send one recording.", param="file")
        stream = next(iter(self._container.streams.audio), None)
        if stream is None:
            raise UnreadableAudio("The file has no audio stream.", param="file")
        context: AudioCodecContext | None = stream.codec_context  # PyAV's types leave out that FFmpeg may know none
        name = context.name if context is not None else "of this file"
        if name not in _CODECS and not name.startswith("pcm_"):
            raise UnsupportedAudioFormat(
                f"The codec {name} is not decoded here; send {FORMATS_IN_WORDS}.", param="file"
            )
        return stream

    def _frames(self) -> Iterator[av.AudioFrame]:
        damaged = intact = 0
        for packet in self._container.demux(self._stream):
            self._deadline.check()
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                damaged += 1  # one frame that was cut off does not make a recording worthless
                continue
            intact += bool(frames)
            for frame in frames:
                if not self._is_priming(frame):
                    yield frame
        if damaged > intact:
            raise UnreadableAudio(_DAMAGED, param="file")

    def _is_priming(self, frame: av.AudioFrame) -> bool:
        """Say whether a frame of an MP4 file only warms the decoder up: it ends before the recording begins."""
        if not self._mp4 or frame.pts is None or frame.time_base is None:
            return False
        return frame.pts * frame.time_base * frame.sample_rate <= -frame.samples

    def _counted(self, blocks: Iterator[FloatArray]) -> Iterator[FloatArray]:
        for block in blocks:
            self._samples_left -= len(block)
            if self._samples_left < 0:
                raise AudioTooLong(
                    f"The audio is longer than {self._limits.max_duration:g} s: split it, or ask the operator of this "
                    "server for a higher limit.",
                    param="file",
                )
            yield block

    def _check_shape(self, shape: Shape) -> None:
        limits = self._limits
        if shape.channels > limits.max_channels:
            raise UnreadableAudio(
                f"The audio has {shape.channels} channels; send at most {limits.max_channels}.", param="file"
            )
        if not limits.min_sample_rate <= shape.rate <= limits.max_sample_rate:
            raise UnreadableAudio(
                f"The audio has {shape.rate} samples a second; send {limits.min_sample_rate} to "
                f"{limits.max_sample_rate}.",
                param="file",
            )


def _check_size(file: BinaryIO, limits: AudioLimits) -> None:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if size > limits.max_upload_bytes:
        raise UploadTooLarge(
            f"The upload has {size} bytes; this server takes {limits.max_upload_bytes}: compress or split the audio.",
            param="file",
        )


@contextmanager
def _typed_errors() -> Iterator[None]:
    """Turn what FFmpeg and PyAV raise over bad files into our own."""
    try:
        yield
    except (av.error.FFmpegError, ValueError, OverflowError, UnicodeError, EOFError) as problem:
        raise UnreadableAudio(_DAMAGED, param="file") from problem
