"""What the speakers of a benchmark say: the repository's clips, one after another, with pauses between them."""

import itertools
import json
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

_CLIPS: Final = Path("examples/audio")
_LONGEST_CLIP: Final = 10
SAMPLE_RATE: Final = 16_000
BYTES_PER_SECOND: Final = 2 * SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Speech:
    """One speaker's sound, 16 bits at 16 kHz, and what is said in it."""

    sound: bytes
    text: str
    begins: tuple[float, ...]
    """Seconds at which somebody begins to speak after a pause."""
    word_ends: tuple[float, ...]
    """Seconds at which each word ends; within a sentence they are spread evenly over its letters."""
    spoken: float
    """Seconds of clips; the rest are pauses between them."""

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.sound) / BYTES_PER_SECOND


def make_speech(number: int, seconds: float, share: float) -> Speech:
    """Say clips until the time is over; speaker `number` begins with another one than the speaker before.

    Args:
        number: Which speaker.
        seconds: Of speech and pauses, at least.
        share: How much of it is speech. Pauses are never shorter than 0.7 s, which ends an utterance.
    """
    sound, spoken = bytearray(), 0.0
    texts: list[str] = []
    begins: list[float] = []
    ends: list[float] = []
    for clip in itertools.islice(itertools.cycle(_clips()), number, None):
        if len(sound) >= seconds * BYTES_PER_SECOND:
            break
        length = len(clip.sound) / BYTES_PER_SECOND
        pause = max(0.7, length * (1 / share - 1))
        if not texts:  # speakers do not pause all at once
            sound += silence(pause * (number * 0.618 % 1))
        now = len(sound) / BYTES_PER_SECOND
        begins.append(now + clip.begin)
        ends += [now + end for end in clip.word_ends]
        texts.append(clip.text)
        spoken += length
        sound += clip.sound + silence(pause)
    return Speech(bytes(sound), " ".join(texts), tuple(begins), tuple(ends), spoken)


def silence(seconds: float) -> bytes:
    """Return silence."""
    return bytes(2 * round(seconds * SAMPLE_RATE))


@dataclass(frozen=True, slots=True)
class _Clip:
    sound: bytes
    text: str
    begin: float
    word_ends: tuple[float, ...]


@cache
def _clips() -> tuple[_Clip, ...]:
    return tuple(_read_clips())


def _read_clips() -> Iterator[_Clip]:
    entries: list[dict[str, Any]] = json.loads((_CLIPS / "clips.json").read_text())
    for entry in entries:
        if entry["file"].endswith(".wav") and entry["text"] and entry["seconds"] <= _LONGEST_CLIP:
            with wave.open(str(_CLIPS / entry["file"])) as file:
                ends = tuple(end for segment in entry["segments"] for end in _word_ends(segment))
                yield _Clip(file.readframes(file.getnframes()), entry["text"], entry["segments"][0]["start"], ends)


def _word_ends(segment: dict[str, Any]) -> Iterator[float]:
    length, done = len(segment["text"]), 0
    for word in segment["text"].split():
        done += len(word) + 1
        yield segment["start"] + (segment["end"] - segment["start"]) * min(1.0, done / length)
