"""The log-mel spectrogram that Whisper hears (Radford et al. 2022, section 2.2), equal to openai-whisper's."""

from functools import cache

import numpy as np
import scipy.fft

from whisper_inference.arrays import FloatArray

SAMPLE_RATE = 16_000
"""What Whisper hears, in samples per second."""

_FFT_LENGTH = 400
"""25 ms."""
_HOP = 160
"""10 ms: 100 frames a second."""
_PADDING = 30 * SAMPLE_RATE
"""Silence appended, so that a window may begin anywhere in the audio."""
_LEAST_POWER = np.float32(1e-10)
_DYNAMIC_RANGE = 8.0
"""Powers of ten below the loudest value of the whole recording that are kept."""


def log_mel_spectrogram(samples: FloatArray, mel_bins: int) -> FloatArray:
    """Compute the features of a whole recording.

    Args:
        samples: `[n]` float32 in -1 to 1, 16 kHz mono.
        mel_bins: 80 or 128.

    Returns:
        `[mel_bins, n / 160 + 3000]` float32: 10 ms a frame, then 30 s of padding.
    """
    # As torch.stft with center=True: half a window of reflection on the left, silence on the right.
    half = _FFT_LENGTH // 2
    padded = np.concatenate([samples, np.zeros(2 * _FFT_LENGTH, dtype=np.float32)])
    padded = np.concatenate([padded[half:0:-1], padded])
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT_LENGTH)[::_HOP]
    heard = np.log10(np.maximum(mel_filters(mel_bins) @ _power(frames).T, _LEAST_POWER))
    floor = heard.max() - np.float32(_DYNAMIC_RANGE)
    # The rest of the padding has no power: a second of speech is not made to cost as much as thirty.
    log_mel = np.full((mel_bins, (len(samples) + _PADDING) // _HOP), max(floor, np.log10(_LEAST_POWER)), np.float32)
    np.maximum(heard, floor, out=log_mel[:, : len(frames)])
    log_mel += 4
    log_mel /= 4
    return log_mel


@cache
def mel_filters(mel_bins: int) -> FloatArray:
    """Return the mel filter bank `[mel_bins, 201]`: triangles on Slaney's scale, each of unit area.

    Slaney 1998, Auditory Toolbox: linear below 1 kHz, logarithmic above; as `librosa.filters.mel`.
    """
    edges = _from_mel(np.linspace(0, _to_mel(SAMPLE_RATE / 2), mel_bins + 2))
    frequencies = np.linspace(0, SAMPLE_RATE / 2, _FFT_LENGTH // 2 + 1)
    distance = edges[:, None] - frequencies
    width = np.diff(edges)[:, None]
    rising, falling = -distance[:-2] / width[:-1], distance[2:] / width[1:]
    triangles = np.maximum(0, np.minimum(rising, falling))
    unit_area = 2 / (edges[2:] - edges[:-2])
    return np.asarray(triangles * unit_area[:, None], dtype=np.float32)


def _power(frames: FloatArray) -> FloatArray:
    spectrum = scipy.fft.rfft(frames * _window(), axis=-1)
    return np.asarray(spectrum.real**2 + spectrum.imag**2, dtype=np.float32)


@cache
def _window() -> FloatArray:
    """Return the periodic Hann window."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FFT_LENGTH) / _FFT_LENGTH), dtype=np.float32)


_BREAK_HZ, _BREAK_MEL, _HZ_PER_MEL = 1000.0, 15.0, 200.0 / 3
_LOG_STEP = np.log(6.4) / 27


def _to_mel(hz: float) -> float:
    return float(_BREAK_MEL + np.log(hz / _BREAK_HZ) / _LOG_STEP) if hz >= _BREAK_HZ else hz / _HZ_PER_MEL


def _from_mel(mel: np.typing.NDArray[np.float64]) -> np.typing.NDArray[np.float64]:
    above = _BREAK_HZ * np.exp(_LOG_STEP * (mel - _BREAK_MEL))
    return np.where(mel >= _BREAK_MEL, above, mel * _HZ_PER_MEL)
