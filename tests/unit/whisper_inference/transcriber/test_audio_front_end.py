"""The front end on its threads: measured, bounded, cancellable."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from whisper_inference.arrays import FloatArray
from whisper_inference.errors import UnreadableAudio
from whisper_inference.transcriber import PreparedAudio, Source, Span
from whisper_inference.transcriber.audio_front_end import AudioSteps, ThreadedFrontEnd


@dataclass
class Steps:
    """Steps that a test can hold up: an upload is as many bytes as it has samples."""

    speech: tuple[Span, ...] = ((0.0, 1.0),)
    decoded: list[bytes] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    reached: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def decode(self, source: Source) -> FloatArray:
        """Read the upload; `b"hold…"` waits for the test."""
        if not isinstance(source, bytes) or not source:
            raise UnreadableAudio("nothing in it")
        self.threads.add(threading.get_ident())
        self.decoded.append(source[:4])
        if source.startswith(b"hold"):
            self.reached.set()
            self.go_on.wait(10)
        return np.zeros(len(source), dtype=np.float32)

    def features(self, samples: FloatArray) -> FloatArray:
        """As many frames as the real ones."""
        return np.zeros((80, len(samples) // 160 + 3000), dtype=np.float32)


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def front_end(steps: Steps) -> Iterator[ThreadedFrontEnd]:
    made = ThreadedFrontEnd(AudioSteps(steps.decode, lambda _: steps.speech, steps.features, 80), workers=1)
    yield made
    made.close()


def prepare(front_end: ThreadedFrontEnd, source: Source, *, find_speech: bool = True) -> PreparedAudio:
    async def once() -> PreparedAudio:
        return await front_end.prepare(source, find_speech=find_speech)

    return asyncio.run(once())


def test_an_upload_is_measured_and_transformed_off_the_event_loop(front_end: ThreadedFrontEnd, steps: Steps) -> None:
    audio = prepare(front_end, bytes(24_080))
    assert (audio.duration, audio.sound.frames) == (1.505, 150)
    assert audio.sound.log_mel.shape == (80, 3150)
    assert audio.speech == ((0.0, 1.0),)
    assert threading.get_ident() not in steps.threads


def test_silence_needs_no_features(front_end: ThreadedFrontEnd, steps: Steps) -> None:
    steps.speech = ()
    audio = prepare(front_end, bytes(48_000))
    assert audio.silent
    assert audio.duration == 3.0
    assert audio.sound.log_mel.shape == (80, 0)


def test_nobody_is_silent_who_was_not_listened_to(front_end: ThreadedFrontEnd, steps: Steps) -> None:
    steps.speech = ()
    audio = prepare(front_end, bytes(48_000), find_speech=False)
    assert audio.speech is None
    assert not audio.silent
    assert audio.sound.log_mel.shape == (80, 3300)


def test_a_refusal_reaches_the_caller(front_end: ThreadedFrontEnd) -> None:
    with pytest.raises(UnreadableAudio):
        prepare(front_end, b"")


def test_a_cancelled_upload_that_waits_for_a_thread_is_never_decoded(front_end: ThreadedFrontEnd, steps: Steps) -> None:
    async def test() -> None:
        first = asyncio.create_task(front_end.prepare(b"hold", find_speech=False))
        await asyncio.to_thread(steps.reached.wait, 10)
        second = asyncio.create_task(front_end.prepare(b"gone", find_speech=False))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        steps.go_on.set()
        await first
        await front_end.prepare(b"last", find_speech=False)

    asyncio.run(test())
    assert steps.decoded == [b"hold", b"last"]


def test_a_cancelled_caller_does_not_wait_for_its_decoding(front_end: ThreadedFrontEnd, steps: Steps) -> None:
    async def test() -> None:
        held = asyncio.create_task(front_end.prepare(b"hold", find_speech=False))
        await asyncio.to_thread(steps.reached.wait, 10)
        held.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held
        steps.go_on.set()

    asyncio.run(test())
