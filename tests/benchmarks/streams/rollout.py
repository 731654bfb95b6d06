"""Four replicas are replaced one by one, as a rollout does, while many speak: who loses anything?"""

import asyncio
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from tests.benchmarks.streams.capacity import word_error_rate
from tests.benchmarks.streams.front import Front
from tests.benchmarks.streams.server import KEY, Server, start_server
from tests.benchmarks.streams.speaker import frames
from tests.benchmarks.streams.speech import Speech, make_speech
from tests.support.redis_server import redis_server
from whisper_inference.errors import StreamRefused
from whisper_inference.streaming.client import StreamClient
from whisper_inference.streaming.protocol import Closed, FinalSegment, ServerMessage

_SHARE: Final = 0.06
"""Of the time in which each speaks: all replicas share this machine."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """What became of those who spoke."""

    streams: int
    replicas: int
    moves: int
    """Connections beyond each stream's first."""
    lost: int
    """Streams that ended with an error."""
    doubled_or_missing: int
    """Streams whose segments are not numbered one after another."""
    word_error_rate: float
    undisturbed_word_error_rate: float
    """Of the same speech, with nothing replaced."""


async def measure_rollout(model: Path, streams: int, seconds: float, replicas: int = 4) -> Rollout:
    """Let so many speak twice: undisturbed, and while every replica is replaced."""
    speeches = [make_speech(number, seconds, _SHARE) for number in range(streams)]
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as redis:
        async with AsyncExitStack() as stack:
            start = partial(_start, model, redis.address, stack)
            servers = await asyncio.gather(*(start() for _ in range(replicas)))
            front = Front([server.url for server in servers])
            url = await stack.enter_async_context(front.serve())
            undisturbed = await asyncio.gather(*(_speak(url, speech) for speech in speeches))
            before = front.connections
            speaking = [asyncio.create_task(_speak(url, speech)) for speech in speeches]
            await asyncio.sleep(seconds / 10)
            for server in servers:
                front.replicas.append((await start()).url)
                front.replicas.remove(server.url)
                await _stop(server)
            outcomes = await asyncio.gather(*speaking)
    return Rollout(
        streams=streams,
        replicas=replicas,
        moves=front.connections - before - streams,
        lost=sum(each.problem is not None for each in outcomes),
        doubled_or_missing=sum(not each.in_order for each in outcomes),
        word_error_rate=_errors(speeches, outcomes),
        undisturbed_word_error_rate=_errors(speeches, undisturbed),
    )


async def _start(model: Path, redis: str, stack: AsyncExitStack) -> Server:
    settings = {"WHISPER_REDIS_URL": redis, "WHISPER_SECRET_KEY": "of-no-value-but-long-enough-48151623"}
    server = start_server(model, settings=settings)
    stack.callback(server.end)
    await asyncio.to_thread(server.wait_until_ready)
    return server


async def _stop(server: Server) -> None:
    server.process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(server.process.wait)


@dataclass(slots=True)
class _Outcome:
    text: str = ""
    ids: list[int] = field(default_factory=list)
    problem: str | None = "not closed"

    @property
    def in_order(self) -> bool:
        return self.ids == list(range(len(self.ids)))

    def take(self, message: ServerMessage) -> None:
        match message:
            case FinalSegment():
                self.text += message.text
                self.ids.append(message.id)
            case Closed(reason="finished"):
                self.problem = None
            case _:
                pass


async def _speak(url: str, speech: Speech) -> _Outcome:
    async def spoken() -> AsyncIterator[bytes]:
        for frame in frames(speech.sound):
            await asyncio.sleep(0.1)
            yield frame

    outcome = _Outcome()
    try:
        async for message in StreamClient(url, KEY).transcribe(spoken(), language="en"):
            outcome.take(message)
    except StreamRefused as problem:
        outcome.problem = str(problem)
    return outcome


def _errors(speeches: Sequence[Speech], outcomes: Sequence[_Outcome]) -> float:
    return word_error_rate([speech.text for speech in speeches], [outcome.text for outcome in outcomes])
