"""Puts a transcript together from its windows, with what the guard leaves of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from whisper_inference.decoding.windows import DecodingModel, WindowTranscript
from whisper_inference.transcriber.front_end import PreparedAudio, Span
from whisper_inference.transcription import Dropped, DropReason, Segment, Transcript, TranscriptionOptions

_REMEMBERED = 3
"""Segments of earlier windows that the guard is shown: as many as a loop needs to be one."""


class Guard(Protocol):
    """Whatever tells invented words from heard ones."""

    def __call__(
        self,
        segments: Sequence[Segment],
        speech: Sequence[Span],
        options: TranscriptionOptions,
        before: Sequence[Segment] = (),
    ) -> tuple[tuple[Segment, ...], tuple[Dropped, ...]]:
        """Return the segments that stay and those that are withheld; `before` are the last ones of earlier windows."""
        ...


class Assembly:
    """One request's transcript in the making."""

    def __init__(self, audio: PreparedAudio, options: TranscriptionOptions, model: DecodingModel, guard: Guard) -> None:
        self._guard = guard
        self._audio = audio
        self._options = options
        self._model = model
        self._language = options.language
        self._segments: list[Segment] = []
        self._dropped: list[Dropped] = []
        self._before: tuple[Segment, ...] = ()
        if audio.silent:
            self._dropped.append(Dropped(DropReason.NO_VOICE, 0.0, audio.duration, ""))

    def add(self, window: WindowTranscript) -> tuple[Segment, ...]:
        """Take a window's segments; return those that stay, numbered on from the ones before."""
        self._language = self._language or window.language
        kept = window.segments
        if self._options.guard:
            kept, dropped = self._guard(window.segments, self._audio.speech or (), self._options, self._before)
            self._before = (*self._before, *window.segments)[-_REMEMBERED:]
            self._dropped += dropped
        numbered = tuple(replace(segment, id=len(self._segments) + index) for index, segment in enumerate(kept))
        self._segments += numbered
        return numbered

    def finish(self) -> Transcript:
        """Return the transcript."""
        return Transcript(
            task=self._options.task,
            # Where nobody speaks no language is detected: then it is the model's first, English.
            language=self._language or self._model.tokenizer.languages[0],
            duration=self._audio.duration,
            segments=tuple(self._segments),
            dropped=tuple(self._dropped),
        )
