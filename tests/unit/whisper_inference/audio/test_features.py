"""The spectrogram is openai-whisper's own, for every length and both filter banks."""

import numpy as np
import pytest
import torch
import whisper.audio

from whisper_inference.arrays import FloatArray
from whisper_inference.audio.features import SAMPLE_RATE, log_mel_spectrogram, mel_filters

EDGE_LENGTHS = [1, 100, 199, 200, 201, 399, 400, 401, 16_000, 16_001, 479_999, 480_000]


def noise(samples: int) -> FloatArray:
    """Return quiet noise, the same each time."""
    return (np.random.default_rng(samples).normal(size=samples) * 0.1).astype(np.float32)


def reference(samples: FloatArray, mel_bins: int) -> FloatArray:
    """Compute openai-whisper's features with the padding that its `transcribe` adds."""
    log_mel = whisper.audio.log_mel_spectrogram(torch.from_numpy(samples), mel_bins, padding=whisper.audio.N_SAMPLES)
    return np.asarray(log_mel.numpy(), dtype=np.float32)


@pytest.mark.parametrize("mel_bins", [80, 128])
def test_filters_are_those_that_whisper_ships(mel_bins: int) -> None:
    shipped = whisper.audio.mel_filters("cpu", mel_bins).numpy()
    np.testing.assert_allclose(mel_filters(mel_bins), shipped, rtol=0, atol=1e-6)


@pytest.mark.parametrize("mel_bins", [80, 128])
@pytest.mark.parametrize("samples", EDGE_LENGTHS)
def test_features_equal_whisper_for_every_length(samples: int, mel_bins: int) -> None:
    sound = noise(samples)
    features = log_mel_spectrogram(sound, mel_bins)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, reference(sound, mel_bins), rtol=0, atol=1e-4)


def test_silence_has_the_features_of_silence() -> None:
    silence = np.zeros(SAMPLE_RATE, dtype=np.float32)
    np.testing.assert_allclose(log_mel_spectrogram(silence, 80), reference(silence, 80), rtol=0, atol=1e-6)


def test_one_loud_moment_lifts_the_floor_of_the_whole_recording() -> None:
    quiet = noise(4 * SAMPLE_RATE) * np.float32(1e-3)
    loud = quiet.copy()
    loud[-SAMPLE_RATE // 2 :] = noise(SAMPLE_RATE // 2) * 9
    assert log_mel_spectrogram(loud, 80)[:, :100].min() > log_mel_spectrogram(quiet, 80)[:, :100].min()
    np.testing.assert_allclose(log_mel_spectrogram(loud, 80), reference(loud, 80), rtol=0, atol=1e-4)
