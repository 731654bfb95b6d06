"""The sound of a stream that is still needed, where somebody speaks in it, and where to cut it. Pure."""

import itertools
import math
from typing import Final

import numpy as np

from whisper_inference.arrays import FloatArray
from whisper_inference.audio.features import SAMPLE_RATE
from whisper_inference.audio.silero import CHUNK_SAMPLES
from whisper_inference.audio.voice_activity import SpeechSpan, VoiceActivityRules, find_spans
from whisper_inference.decoding.windows import FRAMES_PER_SECOND
from whisper_inference.transcription import Seconds

LONGEST_WINDOW: Final = 30 * SAMPLE_RATE
"""What Whisper hears at once, in samples."""
SAMPLES_PER_FRAME: Final = SAMPLE_RATE // FRAMES_PER_SECOND
"""What is kept begins with a whole frame, for the model's times count these."""


class Sound:
    """Samples from `begin` to `end`, numbered from the stream's first, with the voice activity of each chunk."""

    def __init__(self, rules: VoiceActivityRules, pre_roll: Seconds, begin: int = 0) -> None:
        self._rules = rules
        self._pre_roll = math.ceil(pre_roll * SAMPLE_RATE / CHUNK_SAMPLES) * CHUNK_SAMPLES
        """Kept of a silence."""
        self._blocks: list[FloatArray] = []
        """Joined when somebody looks: frames come ten times a second, and a window is half a million samples."""
        self._length = 0
        self._probabilities = np.zeros(0, dtype=np.float32)
        self._kept_from = begin
        """Sample of the first chunk that is kept: `begin` lies in it."""
        self.begin = begin

    @property
    def end(self) -> int:
        """How much was heard, in samples."""
        return self._kept_from + self._length

    def add(self, samples: FloatArray, probabilities: FloatArray) -> None:
        """Hear more: whole chunks, and how likely somebody speaks in each."""
        self._blocks.append(samples)
        self._length += len(samples)
        self._probabilities = np.concatenate([self._probabilities, probabilities])

    def between(self, start: int, stop: int) -> FloatArray:
        """Return the samples from `start` to before `stop`."""
        return self._joined()[start - self._kept_from : stop - self._kept_from]

    def drop_before(self, sample: int) -> None:
        """Begin there, or less than a frame earlier."""
        self.begin = max(self.begin, min(sample, self.end) // SAMPLES_PER_FRAME * SAMPLES_PER_FRAME)
        chunks = (self.begin - self._kept_from) // CHUNK_SAMPLES
        if chunks:
            self._blocks = [self._joined()[chunks * CHUNK_SAMPLES :]]
            self._length -= chunks * CHUNK_SAMPLES
            self._probabilities = self._probabilities[chunks:]
            self._kept_from += chunks * CHUNK_SAMPLES

    def drop_silence(self) -> None:
        """Forget a silence but its end; nobody speaks from `begin` to `end`."""
        self.drop_before(self.end - self._pre_roll)

    def speech(self) -> tuple[SpeechSpan, ...]:
        """Return where somebody speaks, in seconds from the stream's first sample."""
        offset = self._kept_from / SAMPLE_RATE
        spans = find_spans(self._probabilities, self._rules, self._length / SAMPLE_RATE)
        first = self.begin / SAMPLE_RATE
        return tuple(
            SpeechSpan(max(first, offset + span.start), offset + span.end)
            for span in spans
            if offset + span.end > first + 1 / FRAMES_PER_SECOND
        )

    def _joined(self) -> FloatArray:
        if len(self._blocks) != 1:
            self._blocks = [np.concatenate([np.zeros(0, dtype=np.float32), *self._blocks])]
        return self._blocks[0]


def first_pause(spans: tuple[SpeechSpan, ...], now: Seconds, least: Seconds) -> Seconds | None:
    """Return where the first pause of at least that length begins; `None` if there is none until now.

    The same for the same speech, however late anybody asks: so the text does not depend on how fast it came.
    """
    for span, following in itertools.pairwise([*spans, SpeechSpan(now, now)]):
        if following.start - span.end >= least:
            return span.end
    return None
