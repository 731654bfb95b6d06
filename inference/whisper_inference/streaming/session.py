"""One stream's speech: what is heard, what has to be decoded next, what that says. Pure; time is the sound's own.

An utterance lasts until a pause, or as long as the model hears at once (30 s). While it is spoken it is decoded again
and again, and words that hypotheses agree on are stable; at its end it is decoded once more, which makes it final.
"""

from collections.abc import Sequence
from dataclasses import replace

from pydantic import BaseModel, ConfigDict

from whisper_inference.arrays import FloatArray
from whisper_inference.audio.features import SAMPLE_RATE
from whisper_inference.audio.voice_activity import SpeechSpan
from whisper_inference.decoding.long_form import conditions_next, initial_prompt
from whisper_inference.decoding.windows import FRAMES_PER_SECOND, DecodingModel, WindowTranscript
from whisper_inference.streaming.agreement import Agreement, Words
from whisper_inference.streaming.events import (
    Cut,
    Endpoint,
    Excerpt,
    Final,
    Partial,
    SpeechBegan,
    SpeechEnded,
    StreamEvent,
    StreamOptions,
    UtteranceSettled,
    VoiceEvent,
)
from whisper_inference.streaming.settling import settle
from whisper_inference.streaming.sound import LONGEST_WINDOW, SAMPLES_PER_FRAME, Sound, first_pause
from whisper_inference.transcriber import Guard
from whisper_inference.transcription import Dropped, Seconds, Segment, TranscriptionOptions

_AT_FIRST = 0.25
"""Of the interval: speech of an utterance before its first hypothesis. Sooner, a model hears no word in it."""
_AGAIN = 0.35
"""Of the interval: new sound until the next one, while nothing was heard."""
_REMEMBERED = 3
"""Segments of earlier utterances that the guard is shown."""


class SessionState(BaseModel):
    """All that a stream is beside its sound: enough to go on with it elsewhere."""

    model_config = ConfigDict(frozen=True)

    begin: int = 0
    """Sample from which on nothing is final."""
    stable: Words = ()
    language: str | None = None
    history: tuple[int, ...] | None = None
    """Tokens that the next utterance is conditioned on; `None` at the beginning."""
    finals: int = 0


class StreamSession:
    """Hears a stream, says what to decode, and turns what was understood into events."""

    def __init__(
        self, options: StreamOptions, model: DecodingModel, guard: Guard, state: SessionState | None = None
    ) -> None:
        state = state or SessionState()
        self._options = options
        self._model = model
        self._guard = guard
        self._sound = Sound(options.voice, options.pre_roll, state.begin)
        self._agreement = Agreement(stable=state.stable, needed=options.agreement)
        self._language = state.language or options.transcription.language
        prompt = initial_prompt(model, options.transcription)
        self._history = prompt if state.history is None else list(state.history)
        self._before: tuple[Segment, ...] = ()
        self._finals = state.finals
        self._asked_until = state.begin
        """Where the last excerpt ended."""
        self._excerpt: Excerpt | None = None
        """What is being decoded."""
        self._told_until = state.begin
        """Where the last one ended that was understood."""
        self._over = self._drained = self._speaking = False
        self._noticed: list[VoiceEvent] = []
        self._withheld: list[Dropped] = []
        self._interval = options.partial_interval

    def state(self) -> SessionState:
        """Return what a session elsewhere begins with, together with the sound from `begin` on."""
        return SessionState(
            begin=self._sound.begin,
            stable=self._agreement.stable,
            language=self._language,
            history=tuple(self._history),
            finals=self._finals,
        )

    @property
    def heard_samples(self) -> int:
        """How much sound came, at 16 kHz."""
        return self._sound.end

    def sound_between(self, start: int, stop: int) -> FloatArray:
        """Return sound that is not final yet; from `begin` on, if `start` lies before it."""
        return self._sound.between(max(start, self._sound.begin), stop)

    def supposed(self) -> Partial | None:
        """Return what is stable and not final, if anything is."""
        if not self._agreement.stable:
            return None
        return self._partial(self._sound.begin / SAMPLE_RATE, self._told_until / SAMPLE_RATE)

    @property
    def options(self) -> TranscriptionOptions:
        """How excerpts are decoded."""
        return self._options.transcription

    @property
    def interval(self) -> Seconds:
        """New sound between two hypotheses."""
        return self._interval

    @property
    def finals(self) -> int:
        """Segments that are final."""
        return self._finals

    @property
    def lag(self) -> Seconds:
        """Sound that came after what is understood."""
        return (self._sound.end - max(self._told_until, self._sound.begin)) / SAMPLE_RATE

    @property
    def heard(self) -> Seconds:
        """How much sound came."""
        return self._sound.end / SAMPLE_RATE

    @property
    def pending(self) -> Seconds:
        """Sound that may still become text."""
        return (self._sound.end - self._sound.begin) / SAMPLE_RATE

    @property
    def language(self) -> str | None:
        """As asked for, or as the first utterance told."""
        return self._language

    @property
    def done(self) -> bool:
        """The stream is over, and all of it was understood."""
        return self._drained and self._excerpt is None

    def hear(self, samples: FloatArray, probabilities: FloatArray) -> None:
        """Take in sound: whole chunks of 512 samples, and how likely somebody speaks in each."""
        self._sound.add(samples, probabilities)

    def stretch(self, least: Seconds) -> None:
        """Make at least so much new sound due between hypotheses, and no less than was asked for."""
        self._interval = max(self._options.partial_interval, least)

    def finish(self) -> None:
        """No more sound will come."""
        self._over = True

    def next_excerpt(self) -> Excerpt | None:
        """Return what has to be decoded now, if anything; what it says is told to `understood` before the next one."""
        if self._excerpt is not None:
            return None
        speech = self._sound.speech()
        if not speech and not self._agreement.stable:
            self._fall_silent()
            self._drained = self._over
            self._sound.drop_silence()
            return None
        if not self._speaking:
            self._speaking = True
            self._noticed.append(SpeechBegan(self._sound.begin / SAMPLE_RATE))
        stop, cut = self._where_to_stop(self._pause(speech))
        since = max(self._asked_until, self._sound.begin)
        if cut is Cut.NOW and stop - since < self._worth_hearing() * SAMPLE_RATE:
            return None
        if cut is Cut.PAUSE:
            self._noticed.append(SpeechEnded(stop / SAMPLE_RATE))
        self._asked_until = stop
        self._excerpt = Excerpt(
            samples=self._sound.between(self._sound.begin, stop),
            start=self._sound.begin,
            cut=cut,
            language=self._language,
            prompt_tokens=tuple(self._history),
        )
        return self._excerpt

    def noticed(self) -> tuple[VoiceEvent, ...]:
        """Return what happened since this was last asked, besides what was understood."""
        events, self._noticed = self._noticed, []
        return tuple(events)

    def withheld(self) -> tuple[Dropped, ...]:
        """Return what the guard kept from becoming final since this was last asked."""
        dropped, self._withheld = self._withheld, []
        return tuple(dropped)

    def _worth_hearing(self) -> Seconds:
        """Return how much new sound another hypothesis needs: less until the first words of an utterance are there.

        While the engine is busy, all wait for as long.
        """
        asked = self._options.partial_interval
        if self._interval > asked or self._agreement.stable or self._agreement.unstable:
            return self._interval
        if self._asked_until > self._sound.begin:
            return _AGAIN * asked
        return min(asked, self._options.pre_roll + _AT_FIRST * asked)

    def understood(self, heard: WindowTranscript) -> tuple[StreamEvent, ...]:
        """Take in what the excerpt says."""
        excerpt, self._excerpt = self._excerpt, None
        if excerpt is None:
            raise RuntimeError("nothing was being decoded")
        self._told_until = self._asked_until
        segments, dropped = self._guarded(heard.segments)
        if excerpt.cut is Cut.NOW:
            return self._suppose(excerpt, segments)
        self._withheld += dropped
        return self._conclude(excerpt, heard, segments)

    def _pause(self, speech: tuple[SpeechSpan, ...]) -> Seconds | None:
        """Return where the utterance ends, if it does."""
        if not speech:  # and yet some of what was said is not final: it was said before this window
            return self.heard if self._over or self.pending >= self._options.endpoint_silence else None
        pause = first_pause(speech, self.heard, self._options.endpoint_silence)
        return speech[-1].end if pause is None and self._over else pause

    def _where_to_stop(self, pause: Seconds | None) -> tuple[int, Cut]:
        longest = self._sound.begin + LONGEST_WINDOW
        if pause is not None and round(pause * SAMPLE_RATE) <= longest:
            return min(round(pause * SAMPLE_RATE), self._sound.end), Cut.PAUSE
        if self._sound.end >= longest:
            return longest, Cut.FULL
        return self._sound.end, Cut.NOW

    def _guarded(self, segments: Sequence[Segment]) -> tuple[tuple[Segment, ...], tuple[Dropped, ...]]:
        spans = [(span.start, span.end) for span in self._sound.speech()]
        return self._guard(segments, spans, self._options.transcription, self._before)

    def _suppose(self, excerpt: Excerpt, segments: Sequence[Segment]) -> tuple[StreamEvent, ...]:
        before = self._agreement
        words = tuple(word for segment in segments for word in self._split(segment))
        self._agreement = before.hear(words)
        if (before.stable, before.unstable) == (self._agreement.stable, self._agreement.unstable):
            return ()
        return (self._partial(excerpt.start / SAMPLE_RATE, self._asked_until / SAMPLE_RATE),)

    def _conclude(
        self, excerpt: Excerpt, heard: WindowTranscript, segments: Sequence[Segment]
    ) -> tuple[StreamEvent, ...]:
        begin, end = excerpt.start / SAMPLE_RATE, self._asked_until / SAMPLE_RATE
        next_begin = heard.next_seek * SAMPLES_PER_FRAME if excerpt.cut is Cut.FULL else self._asked_until
        settled = settle(
            self._agreement,
            segments,
            self._split,
            _spare(begin, end),
            heard_again=next_begin < self._asked_until,
        )
        self._agreement = Agreement(stable=settled.carried, needed=self._options.agreement)
        self._sound.drop_before(next_begin)
        self._asked_until = self._sound.begin
        self._remember(heard, settled.segments)
        numbered = [replace(segment, id=self._finals + index) for index, segment in enumerate(settled.segments)]
        self._finals += len(numbered)
        events: list[StreamEvent] = [Final(segment) for segment in numbered]
        if settled.carried:
            events.append(self._partial(self._sound.begin / SAMPLE_RATE, end))
        if excerpt.cut is Cut.PAUSE:
            self._speaking = False
            self._noticed.append(UtteranceSettled())
            if numbered:
                events.append(Endpoint(end))
        return tuple(events)

    def _fall_silent(self) -> None:
        """End an utterance of which nothing is left to decode: a full window took its last word."""
        if self._speaking:
            self._speaking = False
            self._noticed += [SpeechEnded(self._sound.begin / SAMPLE_RATE), UtteranceSettled()]

    def _remember(self, heard: WindowTranscript, segments: Sequence[Segment]) -> None:
        if not heard.silent:
            self._language = self._language or heard.language
        self._before = (*self._before, *heard.segments)[-_REMEMBERED:]
        keeps = conditions_next(heard, self._options.transcription) or heard.silent
        self._history = self._history if keeps else []
        if keeps:
            self._history += [token for segment in segments for token in segment.tokens]
        self._history = self._history[-self._model.longest_prompt :]

    def _partial(self, start: Seconds, end: Seconds) -> Partial:
        return Partial(start, end, "".join(self._agreement.stable), "".join(self._agreement.unstable))

    def _split(self, segment: Segment) -> Words:
        tokenizer = self._model.tokenizer
        tokens = [token for token in segment.tokens if token < tokenizer.end_of_text]
        return tuple(word for word, _ in tokenizer.split_to_words(tokens, self._language or "en"))


def _spare(start: Seconds, end: Seconds) -> Segment:
    return Segment(0, round(start * FRAMES_PER_SECOND), start, end, "", (), 0.0, 0.0, 0.0, 0.0)
