"""A stream is kept for as long as it goes on, whatever is said in it, and given up only to who took it over."""

import asyncio
from datetime import timedelta

import numpy as np
import pytest

from whisper_inference.arrays import FloatArray
from whisper_inference.audio.features import SAMPLE_RATE
from whisper_inference.audio.silero import CHUNK_SAMPLES
from whisper_inference.decoding.windows import DecodingModel
from whisper_inference.errors import StreamTaken
from whisper_inference.guard import withhold_invented
from whisper_inference.models.checkpoint import Checkpoint
from whisper_inference.sessions.store import SessionId
from whisper_inference.streaming.events import StreamOptions
from whisper_inference.streaming.keeping import Keeper
from whisper_inference.streaming.memory import MemoryStreams
from whisper_inference.streaming.protocol import Start
from whisper_inference.streaming.session import StreamSession
from whisper_inference.transcription import TranscriptionOptions

WINDOW = timedelta(seconds=120)
KEY = SessionId("owner", "stream")


class World:
    """A stream, what keeps it, and the time."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.now = 1000.0
        self.store = MemoryStreams(lambda: self.now)
        model = DecodingModel(checkpoint.dimensions, checkpoint.tokenizer, ())
        self.session = StreamSession(StreamOptions(TranscriptionOptions(language="en")), model, withhold_invented)
        self.keeper = Keeper(self.store, KEY, Start(type="start"), WINDOW, clock=lambda: self.now)

    def speak(self, seconds: float) -> None:
        """Let somebody speak for so long."""
        chunks = round(seconds * SAMPLE_RATE / CHUNK_SAMPLES)
        self.session.hear(np.zeros(chunks * CHUNK_SAMPLES, dtype=np.float32), np.full(chunks, 0.95, dtype=np.float32))

    async def kept(self) -> FloatArray | None:
        """Look at what a server would go on with."""
        found = await self.store.take(KEY, WINDOW)
        return None if found is None else np.frombuffer(found.sound.samples, dtype="<i2")


@pytest.fixture
def world(demo_checkpoint: Checkpoint) -> World:
    """A stream that has just begun."""
    return World(demo_checkpoint)


def test_a_stream_that_is_silent_for_long_can_still_be_gone_on_with(world: World) -> None:
    async def work() -> None:
        await world.keeper.save(world.session, whole=True)
        for _ in range(100):
            world.now += 5
            await world.keeper.refresh(world.session)
        assert await world.kept() is not None

    asyncio.run(work())


def test_what_the_store_has_lost_is_written_anew_with_all_its_sound(world: World) -> None:
    async def work() -> None:
        world.speak(3)
        await world.keeper.save(world.session, whole=True)
        await world.store.forget(KEY)
        world.speak(2)
        await world.keeper.save(world.session)
        kept = await world.kept()
        assert kept is not None
        assert len(kept) == world.session.heard_samples - world.session.state().begin

    asyncio.run(work())


@pytest.mark.parametrize("pause", [0, 100])
def test_a_stream_that_another_connection_took_is_written_no_more(world: World, pause: float) -> None:
    async def work() -> None:
        await world.keeper.save(world.session, whole=True)
        await world.store.take(KEY, WINDOW)
        world.now += pause
        world.speak(2)
        with pytest.raises(StreamTaken):
            await world.keeper.save(world.session)

    asyncio.run(work())
