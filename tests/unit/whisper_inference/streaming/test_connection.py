"""A stream's connection: whatever comes at whatever moment, it comes to its end."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
from typing_extensions import override

from tests.support.patience import PATIENCE_SECONDS
from whisper_inference.arrays import FloatArray
from whisper_inference.audio.features import SAMPLE_RATE
from whisper_inference.audio.silero import CHUNK_SAMPLES, SileroStream, load_silero
from whisper_inference.decoding.windows import DecodingModel, WindowTranscript
from whisper_inference.guard import withhold_invented
from whisper_inference.models.checkpoint import Checkpoint
from whisper_inference.sessions.store import SessionId
from whisper_inference.streaming.connection import Ears, Recognizes, StreamConnection, StreamLimits, Surroundings
from whisper_inference.streaming.events import Excerpt, SpeechBegan, StreamOptions, VoiceEvent
from whisper_inference.streaming.frames import FrameDecoder
from whisper_inference.streaming.keeping import Keeper
from whisper_inference.streaming.memory import MemoryStreams
from whisper_inference.streaming.peer import News, Peer, Stop
from whisper_inference.streaming.protocol import Closed, Start
from whisper_inference.streaming.session import StreamSession
from whisper_inference.transcription import DropReason, Seconds, Segment, TranscriptionOptions


class Calling(StreamSession):
    """Silent, but for a voice that is noticed once; says when it was finished."""

    def __init__(self, model: DecodingModel) -> None:
        super().__init__(StreamOptions(TranscriptionOptions(language="en")), model, withhold_invented)
        self.finished = asyncio.Event()
        self._voices: list[VoiceEvent] = [SpeechBegan(0.0)]

    @override
    def finish(self) -> None:
        super().finish()
        self.finished.set()

    @override
    def noticed(self) -> tuple[VoiceEvent, ...]:
        voices, self._voices = self._voices, []
        return (*super().noticed(), *voices)


class Leaving:
    """Says that it has finished while it is being told something."""

    def __init__(self, session: Calling) -> None:
        self._session = session
        self._being_told = asyncio.Event()

    async def receive(self) -> bytes | Stop:
        """Finish when something is told."""
        await self._being_told.wait()
        return Stop.FINISH

    async def send(self, news: News) -> None:
        """Take a voice in once the stream is finished; all else at once."""
        if isinstance(news, SpeechBegan):
            self._being_told.set()
            await self._session.finished.wait()


class Deaf:
    """There is nothing to hear."""

    async def recognize(self, excerpt: Excerpt, options: TranscriptionOptions) -> WindowTranscript:
        """Never asked."""
        raise AssertionError((excerpt, options))


async def nothing_is_charged(_seconds: Seconds) -> None:
    """Charge nobody."""


class Speaking(SileroStream):
    """Hears a voice in everything."""

    @override
    def listen(self, samples: FloatArray) -> FloatArray:
        return np.full(len(samples) // CHUNK_SAMPLES, 0.95, dtype=np.float32)


class Talking:
    """Says two seconds and finishes; remembers nothing."""

    def __init__(self) -> None:
        self._left: list[bytes | Stop] = [b"\0" * (4 * SAMPLE_RATE), Stop.FINISH]

    async def receive(self) -> bytes | Stop:
        """Say the next thing."""
        return self._left.pop(0)

    async def send(self, news: News) -> None:
        """Take it."""


class Looping:
    """Hears the same word again and again."""

    async def recognize(self, excerpt: Excerpt, options: TranscriptionOptions) -> WindowTranscript:
        """Hear it, whatever is said."""
        assert options.guard
        said = Segment(0, 0, 0.0, 2.0, " no" * 12, (), 0.0, -0.1, 1.0, 0.0)
        return WindowTranscript((said,), "en", excerpt.start + 200, 0.0, silent=False)


async def run(
    peer: Peer,
    session: StreamSession,
    recognizer: Recognizes,
    activity: SileroStream,
    withheld: Callable[[DropReason], None] = lambda _: None,
) -> Closed:
    """Run a stream that is kept in memory, to its end."""
    server = Surroundings(time.monotonic, lambda: False, nothing_is_charged, withheld, StreamLimits())
    key = SessionId("owner", "stream")
    keeper = Keeper(MemoryStreams(time.monotonic), key, Start(type="start"), timedelta(minutes=2))
    with ThreadPoolExecutor(1) as threads:
        ears = Ears(FrameDecoder("pcm_s16le", SAMPLE_RATE, 0), activity, threads, lambda _: None)
        async with asyncio.timeout(PATIENCE_SECONDS / 6):
            return await StreamConnection(peer, session, recognizer, ears, server, keeper).run()


def test_what_the_guard_withholds_is_counted(demo_checkpoint: Checkpoint) -> None:
    withheld: list[DropReason] = []
    model = DecodingModel(demo_checkpoint.dimensions, demo_checkpoint.tokenizer, ())
    session = StreamSession(StreamOptions(TranscriptionOptions(language="en")), model, withhold_invented)
    asyncio.run(run(Talking(), session, Looping(), Speaking(load_silero()), withheld.append))
    assert withheld == [DropReason.REPETITION]


def test_who_finishes_while_something_is_told_is_told_the_end_too(demo_checkpoint: Checkpoint) -> None:
    async def work() -> None:
        session = Calling(DecodingModel(demo_checkpoint.dimensions, demo_checkpoint.tokenizer, ()))
        assert (await run(Leaving(session), session, Deaf(), SileroStream(load_silero()))).reason == "finished"

    asyncio.run(work())
