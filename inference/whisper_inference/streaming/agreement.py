"""Which words of a growing hypothesis will stay: those that consecutive hypotheses agree on. Pure.

LocalAgreement-n: Liu et al. 2020, "Low-Latency Sequence-to-Sequence Speech Recognition and Translation by Partial
Hypothesis Selection"; with Whisper, Macháček et al. 2023, "Turning Whisper into Real-Time Transcription System".
"""

import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

Words: TypeAlias = tuple[str, ...]
"""Each as the model wrote it, with its leading space."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What is known of a stretch of speech so far. `stable` only ever grows."""

    stable: Words = ()
    unstable: Words = ()
    """What the last hypothesis goes on with."""
    needed: int = 2
    """Hypotheses in a row that must say the same; 1 believes each at once."""
    recent: tuple[Words, ...] = ()
    """How the last hypotheses go on behind `stable`, oldest first."""

    def hear(self, words: Sequence[str]) -> "Agreement":
        """Take in another hypothesis of the same speech and what came since.

        Its last word is where the sound ends, half heard: nobody agrees with that.
        """
        rest = continuation(self.stable, words)
        recent = (*self.recent, rest[:-1])[-self.needed :]
        agreed = _common(recent) if len(recent) == self.needed else 0
        return replace(
            self,
            stable=self.stable + rest[:agreed],
            unstable=rest[agreed:],
            recent=tuple(each[agreed:] for each in recent),
        )

    def settle(self, words: Sequence[str]) -> Words:
        """Return the last word on the speech: the final hypothesis, as far as it does not take back what is stable."""
        return self.stable + continuation(self.stable, words)


def continuation(stable: Words, words: Sequence[str]) -> Words:
    """Return the words of a hypothesis that come after those that are stable.

    A later hypothesis may spell the stable words otherwise, or have more or fewer of them. Its beginning that is the
    most like them (by edit distance) is what they became; what follows is new.
    """
    return tuple(words[_covered(stable, words) :])


def _covered(stable: Words, words: Sequence[str]) -> int:
    if tuple(words[: len(stable)]) == stable:
        return len(stable)
    plain = [_plain(word) for word in words]
    # distances[j]: edits from the stable words to the first j words of the hypothesis (Wagner and Fischer 1974).
    distances = list(range(len(plain) + 1))
    for row, word in enumerate(map(_plain, stable), start=1):
        before, distances[0] = distances[0], row
        for column, other in enumerate(plain, start=1):
            changed = before + (word != other)
            before = distances[column]
            distances[column] = min(changed, before + 1, distances[column - 1] + 1)
    # Of equals, the longest: a word too few is spoken again, a word too many would be said twice.
    return min(range(len(distances)), key=lambda count: (distances[count], -count))


def _common(hypotheses: Sequence[Words]) -> int:
    """Return how many words all of them begin with."""
    count = 0
    for words in zip(*hypotheses, strict=False):
        if len(set(words)) > 1:
            break
        count += 1
    return count


def _plain(word: str) -> str:
    return word.strip().strip(string.punctuation).lower()
