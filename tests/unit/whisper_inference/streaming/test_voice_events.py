"""Each utterance begins, ends and is settled once, in this order, whatever is said in it."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_inference.audio.silero import CHUNK_SAMPLES
from whisper_inference.audio.voice_activity import VoiceActivityRules
from whisper_inference.decoding.windows import DecodingModel, WindowTranscript
from whisper_inference.guard import withhold_invented
from whisper_inference.models.checkpoint import Checkpoint
from whisper_inference.streaming.events import (
    Excerpt,
    SpeechBegan,
    SpeechEnded,
    StreamOptions,
    UtteranceSettled,
    VoiceEvent,
)
from whisper_inference.streaming.session import StreamSession
from whisper_inference.transcription import TranscriptionOptions

A_FRAME = 0.01
"""What is kept begins with a whole one, so a little before the end of the utterance before."""
ENGLISH = TranscriptionOptions(language="en")


@pytest.fixture(scope="module")
def model(demo_checkpoint: Checkpoint) -> DecodingModel:
    """The rules' view of the demo model; nothing is decoded with it."""
    return DecodingModel.of(demo_checkpoint)


def hear(session: StreamSession, seconds: float, probability: float) -> None:
    chunks = round(seconds * 31.25)
    session.hear(np.zeros(chunks * CHUNK_SAMPLES, np.float32), np.full(chunks, probability, np.float32))


def nothing(excerpt: Excerpt, until: float = 1.0) -> WindowTranscript:
    """A window in which nobody said a word."""
    frames = len(excerpt.samples) // 160
    return WindowTranscript((), "en", excerpt.start // 160 + max(1, round(frames * until)), 0.0, silent=True)


def decode_all(session: StreamSession) -> list[VoiceEvent]:
    """Decode what is due, and return what was noticed."""
    noticed: list[VoiceEvent] = []
    while (excerpt := session.next_excerpt()) is not None:
        noticed += session.noticed()
        session.understood(nothing(excerpt))
    return noticed + list(session.noticed())


def test_an_utterance_of_nothing_begins_ends_and_is_settled(model: DecodingModel) -> None:
    session = StreamSession(StreamOptions(ENGLISH, pre_roll=0.2), model, withhold_invented)
    hear(session, 2, 0.01)
    assert decode_all(session) == []
    hear(session, 2, 0.95)
    (began,) = decode_all(session)
    assert isinstance(began, SpeechBegan)
    assert began.at == pytest.approx(1.78, abs=0.03)
    hear(session, 1, 0.01)
    ended, settled = decode_all(session)
    assert isinstance(ended, SpeechEnded)
    assert ended.at == pytest.approx(4.1, abs=0.05)
    assert isinstance(settled, UtteranceSettled)
    assert decode_all(session) == []


def test_the_threshold_says_who_is_a_speaker(model: DecodingModel) -> None:
    for threshold, began in ((0.4, 1), (0.9, 0)):
        voice = VoiceActivityRules(threshold=threshold, release=threshold - 0.15)
        session = StreamSession(StreamOptions(ENGLISH, voice=voice), model, withhold_invented)
        hear(session, 2, 0.7)
        assert len(decode_all(session)) == began


STEPS = st.lists(
    st.one_of(st.tuples(st.floats(0.1, 40), st.sampled_from([0.01, 0.95])), st.floats(0.1, 1.0)), max_size=20
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_in_any_order_every_utterance_has_one_beginning_and_one_end(
    model: DecodingModel, steps: list[tuple[float, float] | float]
) -> None:
    session = StreamSession(StreamOptions(ENGLISH), model, withhold_invented)
    noticed: list[VoiceEvent] = []
    for step in steps:
        if isinstance(step, tuple):
            hear(session, *step)
        elif (excerpt := session.next_excerpt()) is not None:
            noticed += session.noticed()
            session.understood(nothing(excerpt, step))
    session.finish()
    while not session.done:
        if (excerpt := session.next_excerpt()) is not None:
            noticed += session.noticed()
            session.understood(nothing(excerpt))
    noticed += session.noticed()
    kinds = [type(event) for event in noticed]
    assert kinds == [SpeechBegan, SpeechEnded, UtteranceSettled] * (len(kinds) // 3)
    times = [event.at for event in noticed if not isinstance(event, UtteranceSettled)]
    assert all(before <= after + A_FRAME for before, after in itertools.pairwise(times))
