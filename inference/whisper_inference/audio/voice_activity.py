"""Where somebody speaks: Silero's probabilities, and its rules for turning them into spans."""

from collections.abc import Iterator
from dataclasses import dataclass

from whisper_inference.arrays import FloatArray
from whisper_inference.audio.features import SAMPLE_RATE
from whisper_inference.audio.silero import CHUNK_SAMPLES, SileroWeights, load_silero, speech_probabilities
from whisper_inference.transcription import Seconds

_CHUNK_SECONDS = CHUNK_SAMPLES / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class SpeechSpan:
    """A stretch in which somebody speaks."""

    start: Seconds
    end: Seconds


@dataclass(frozen=True, slots=True)
class VoiceActivityRules:
    """Silero's own parameters (`get_speech_timestamps`), less eager to split."""

    threshold: float = 0.5
    """Speech begins at this probability."""
    release: float = 0.35
    """And ends below this one."""
    min_speech: Seconds = 0.1
    """Shorter spans are clicks; Silero's 0.25 loses single short words."""
    min_silence: Seconds = 0.3
    """Shorter pauses do not end a span."""
    padding: Seconds = 0.1
    """Added on both sides: soft beginnings and ends are under the threshold."""


class VoiceActivity:
    """Detects speech. Keeps nothing between calls: any number of threads may share it."""

    def __init__(self, rules: VoiceActivityRules | None = None, weights: SileroWeights | None = None) -> None:
        self._rules = rules or VoiceActivityRules()
        self._weights = weights or load_silero()

    def spans(self, samples: FloatArray) -> tuple[SpeechSpan, ...]:
        """Return where somebody speaks in `[samples]`, in order, without overlap."""
        probabilities = speech_probabilities(samples, self._weights)
        return find_spans(probabilities, self._rules, len(samples) / SAMPLE_RATE)


def find_spans(probabilities: FloatArray, rules: VoiceActivityRules, duration: Seconds) -> tuple[SpeechSpan, ...]:
    """Turn the probability of each chunk into spans. Pure.

    Args:
        probabilities: `[chunks]`, one for every 32 ms.
        rules: The thresholds.
        duration: Nothing reaches beyond it.
    """
    spans: list[SpeechSpan] = []
    for start, end in _loud_stretches(probabilities, rules):
        if end - start < rules.min_speech:
            continue
        padded = SpeechSpan(max(0.0, start - rules.padding), min(duration, end + rules.padding))
        if spans and padded.start <= spans[-1].end:
            padded = SpeechSpan(spans.pop().start, padded.end)
        spans.append(padded)
    return tuple(spans)


def _loud_stretches(probabilities: FloatArray, rules: VoiceActivityRules) -> Iterator[tuple[Seconds, Seconds]]:
    start: int | None = None
    quiet_from: int | None = None
    for index, probability in enumerate(probabilities.tolist()):
        if probability >= rules.threshold:
            start, quiet_from = index if start is None else start, None
        elif start is not None and probability < rules.release:
            quiet_from = index if quiet_from is None else quiet_from
            if (index + 1 - quiet_from) * _CHUNK_SECONDS >= rules.min_silence:
                yield start * _CHUNK_SECONDS, quiet_from * _CHUNK_SECONDS
                start = quiet_from = None
    if start is not None:
        yield start * _CHUNK_SECONDS, (quiet_from or len(probabilities)) * _CHUNK_SECONDS
