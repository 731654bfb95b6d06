"""Whatever is heard and understood, in whatever order: nothing stable is taken back, and every stream ends."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_inference.audio.silero import CHUNK_SAMPLES
from whisper_inference.decoding.windows import DecodingModel, WindowTranscript
from whisper_inference.guard import withhold_invented
from whisper_inference.models.checkpoint import Checkpoint
from whisper_inference.streaming.events import Cut, Endpoint, Excerpt, Final, Partial, StreamEvent, StreamOptions
from whisper_inference.streaming.session import StreamSession
from whisper_inference.transcription import DropReason, Segment, TranscriptionOptions

CHUNKS_PER_SECOND = 31.25
UNGUARDED = StreamOptions(TranscriptionOptions(language="en", guard=False))


class Listener:
    """Drives a session: hears seconds of speech or silence, understands as it is told, and keeps what is published."""

    def __init__(self, session: StreamSession, model: DecodingModel) -> None:
        self.session = session
        self.model = model
        self.final = self.stable = self.published = ""
        self.events: list[StreamEvent] = []

    def hear(self, seconds: float, *, speech: bool) -> None:
        """Hear more."""
        chunks = round(seconds * CHUNKS_PER_SECOND)
        voice = np.full(chunks, 0.95 if speech else 0.01, dtype=np.float32)
        self.session.hear(np.zeros(chunks * CHUNK_SAMPLES, dtype=np.float32), voice)

    def excerpt(self) -> Excerpt:
        """Return what is due; something has to be."""
        excerpt = self.session.next_excerpt()
        assert excerpt is not None
        return excerpt

    def understand(self, excerpt: Excerpt, *texts: str, until: float = 1.0) -> None:
        """Say what was heard, in segments that fill the excerpt up to a part of it."""
        heard = transcript(excerpt, texts, self.model, until)
        for event in self.session.understood(heard):
            self.events.append(event)
            self.final += event.segment.text if isinstance(event, Final) else ""
            self.stable = (
                event.stable if isinstance(event, Partial) else "" if isinstance(event, Final) else self.stable
            )
        now = self.final + self.stable
        assert now.startswith(self.published)
        self.published = now


def transcript(excerpt: Excerpt, texts: Sequence[str], model: DecodingModel, until: float) -> WindowTranscript:
    frames = len(excerpt.samples) // 160
    seek = excerpt.start // 160
    each = frames / 100 * until / max(1, len(texts))
    segments = tuple(
        Segment(
            id=index,
            seek=seek,
            start=seek / 100 + index * each,
            end=seek / 100 + (index + 1) * each,
            text=text,
            tokens=tuple(model.tokenizer.encode(text)),
            temperature=0.0,
            avg_logprob=-0.1,
            compression_ratio=1.0,
            no_speech_prob=0.0,
        )
        for index, text in enumerate(texts)
    )
    return WindowTranscript(segments, "en", max(seek + 1, seek + round(frames * until)), 0.0, silent=not texts)


@pytest.fixture(scope="module")
def model(demo_checkpoint: Checkpoint) -> DecodingModel:
    """The rules' view of the demo model; nothing is decoded with it."""
    return DecodingModel.of(demo_checkpoint)


@pytest.fixture
def listener(model: DecodingModel) -> Listener:
    """A stream that has just begun."""
    return Listener(StreamSession(UNGUARDED, model, withhold_invented), model)


def test_silence_costs_nothing_and_is_forgotten(listener: Listener) -> None:
    for _ in range(10):
        listener.hear(60, speech=False)
        assert listener.session.next_excerpt() is None
    assert listener.session.pending < 1
    assert listener.session.heard == pytest.approx(600, abs=1)
    listener.session.finish()
    assert listener.session.next_excerpt() is None
    assert listener.session.done


def test_speech_is_decoded_again_and_again_and_once_more_at_a_pause(listener: Listener) -> None:
    listener.hear(1.1, speech=True)
    listener.understand(listener.excerpt(), " the ship sails")
    assert listener.session.next_excerpt() is None
    listener.hear(1.1, speech=True)
    listener.understand(listener.excerpt(), " the ship sails at dawn")
    assert listener.stable == " the ship"
    listener.hear(1.0, speech=False)
    excerpt = listener.excerpt()
    assert excerpt.cut is Cut.PAUSE
    assert len(excerpt.samples) / 16000 == pytest.approx(2.3, abs=0.1)
    listener.understand(excerpt, " the ship sails at dawn.")
    assert listener.final == " the ship sails at dawn."
    assert isinstance(listener.events[-1], Endpoint)


def test_the_first_words_of_an_utterance_are_looked_for_sooner_than_the_next_ones(listener: Listener) -> None:
    listener.hear(2, speech=False)
    assert listener.session.next_excerpt() is None
    listener.hear(0.3, speech=True)
    listener.understand(listener.excerpt())
    listener.hear(0.2, speech=True)
    assert listener.session.next_excerpt() is None
    listener.hear(0.2, speech=True)
    listener.understand(listener.excerpt(), " the")
    listener.hear(0.7, speech=True)
    assert listener.session.next_excerpt() is None
    listener.hear(0.4, speech=True)
    listener.understand(listener.excerpt(), " the ship sails")


def test_a_busy_engine_is_not_asked_for_first_words_sooner(listener: Listener) -> None:
    listener.session.stretch(1.5)
    listener.hear(1.4, speech=True)
    assert listener.session.next_excerpt() is None
    listener.hear(0.2, speech=True)
    assert listener.session.next_excerpt() is not None


def test_the_next_utterance_is_conditioned_on_what_was_said(listener: Listener, model: DecodingModel) -> None:
    listener.hear(2, speech=True)
    listener.hear(1, speech=False)
    listener.understand(listener.excerpt(), " the ship sails.")
    listener.hear(2, speech=True)
    assert listener.excerpt().prompt_tokens == tuple(model.tokenizer.encode(" the ship sails."))


def test_speech_without_a_pause_is_cut_when_the_model_hears_no_more(listener: Listener) -> None:
    listener.hear(31, speech=True)
    excerpt = listener.excerpt()
    assert excerpt.cut is Cut.FULL
    assert len(excerpt.samples) == 30 * 16000
    listener.understand(excerpt, " one two three.", until=0.8)
    following = listener.session.next_excerpt()
    assert following is not None
    assert following.start == 24 * 16000


def test_stable_words_that_the_next_window_hears_again_are_carried_to_it(listener: Listener) -> None:
    listener.hear(27.5, speech=True)
    listener.understand(listener.excerpt(), " one two three. four five six")
    listener.hear(1.1, speech=True)
    listener.understand(listener.excerpt(), " one two three. four five six seven")
    assert listener.stable == " one two three. four five"
    listener.hear(1.5, speech=True)
    full = listener.excerpt()
    assert full.cut is Cut.FULL
    listener.understand(full, " one two three.", until=0.5)
    assert (listener.final, listener.stable) == (" one two three.", " four five")
    listener.hear(1.0, speech=False)
    listener.understand(listener.excerpt(), " for five six seven.")
    assert listener.final == " one two three. four five six seven."


def test_stable_words_do_not_wait_behind_others_that_took_their_place(model: DecodingModel) -> None:
    options = StreamOptions(UNGUARDED.transcription, agreement=1)
    listener = Listener(StreamSession(options, model, withhold_invented), model)
    listener.hear(1.5, speech=True)
    listener.understand(listener.excerpt(), " the ship the")
    listener.hear(31, speech=True)
    listener.understand(listener.excerpt(), " at", " at dawn. the", until=0.6)
    assert listener.final.startswith(" the ship")
    assert listener.stable == ""


def test_a_fast_stream_is_cut_where_a_slow_one_is(model: DecodingModel) -> None:
    """All of it at once: every pause is an endpoint, as if somebody had waited for each."""
    fast = Listener(StreamSession(UNGUARDED, model, withhold_invented), model)
    for _ in range(3):
        fast.hear(3, speech=True)
        fast.hear(1, speech=False)
    fast.session.finish()
    starts = []
    while not fast.session.done:
        excerpt = fast.session.next_excerpt()
        if excerpt is not None:
            starts.append(round(excerpt.start / 16000))
            fast.understand(excerpt, " the ship sails.")
    assert len(starts) == 3
    assert [type(event) for event in fast.events] == [Final, Endpoint] * 3


def test_what_the_guard_withholds_is_told_once_it_would_be_final(model: DecodingModel) -> None:
    guarded = StreamOptions(TranscriptionOptions(language="en"))
    listener = Listener(StreamSession(guarded, model, withhold_invented), model)
    listener.hear(2, speech=True)
    listener.understand(listener.excerpt(), " no" * 12)
    assert listener.session.withheld() == ()
    listener.hear(1, speech=False)
    listener.understand(listener.excerpt(), " no" * 12)
    assert listener.final == ""
    assert [dropped.reason for dropped in listener.session.withheld()] == [DropReason.REPETITION]
    assert listener.session.withheld() == ()


def test_only_what_is_asked_is_understood(listener: Listener) -> None:
    with pytest.raises(RuntimeError, match="nothing was being decoded"):
        listener.session.understood(WindowTranscript((), "en", 0, 0.0))


WORDS = st.lists(st.sampled_from([" the", " ship", " sails", " Ship,", " at", " dawn."]), max_size=10).map("".join)


class Heard(NamedTuple):
    """Sound that comes."""

    seconds: float
    speech: bool


class Decoded(NamedTuple):
    """What is understood, if anything is due."""

    texts: list[str]
    until: float


TEXT = WORDS.filter(bool)
STEPS = st.lists(
    st.one_of(
        st.builds(Heard, st.floats(0.1, 20), st.booleans()),
        st.builds(Decoded, st.lists(TEXT, max_size=3), st.floats(0.1, 1.0)),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, ending=st.lists(TEXT, max_size=2), needed=st.integers(1, 3))
def test_in_any_order_nothing_stable_is_taken_back_and_the_stream_ends(
    model: DecodingModel, steps: list[Heard | Decoded], ending: list[str], needed: int
) -> None:
    options = StreamOptions(UNGUARDED.transcription, agreement=needed)
    listener = Listener(StreamSession(options, model, withhold_invented), model)
    for step in steps:
        if isinstance(step, Heard):
            listener.hear(step.seconds, speech=step.speech)
        elif (excerpt := listener.session.next_excerpt()) is not None:
            assert 0 < len(excerpt.samples) <= 30 * 16000
            listener.understand(excerpt, *step.texts, until=step.until)
    listener.session.finish()
    for _ in range(400):
        if listener.session.done:
            break
        if (excerpt := listener.session.next_excerpt()) is not None:
            listener.understand(excerpt, *ending)
    assert listener.session.done
    assert listener.stable == "" or listener.final.endswith(listener.stable)
