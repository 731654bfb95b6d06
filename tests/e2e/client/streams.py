"""Speaks in live streams until SIGTERM, and prints what each heard, as JSON: `streams.py URL COUNT FILE...`.

Our own client: it goes on by itself when a connection is lost or a server is killed.
"""

import asyncio
import itertools
import json
import os
import signal
import sys
import time
import wave
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from typing_extensions import override

from whisper_inference.errors import StreamRefused
from whisper_inference.streaming.client import StreamClient
from whisper_inference.streaming.protocol import Closed, FinalSegment, Ready, ServerMessage
from whisper_inference.streaming.said import Said

_FRAME_SECONDS = 0.1
_SENTENCE_SECONDS = 10.0
"""From the beginning of one sentence to that of the next; the rest is silence."""
_BYTES_PER_SECOND = 32_000
"""Of recordings of 16 kHz in 16 bits."""
_FRAME_BYTES = round(_FRAME_SECONDS * _BYTES_PER_SECOND)


class Client(StreamClient):
    """Counts how often another server went on."""

    resumed = 0

    @override
    async def _connection(self, first: dict[str, Any], said: Said) -> AsyncIterator[ServerMessage]:
        async for message in super()._connection(first, said):
            self.resumed += isinstance(message, Ready) and first["type"] == "resume"
            yield message


class Speaker:
    """Says recordings in turn until it is to stop, with pauses between them.

    Args:
        number: Which one: each begins with another file, and not all at once.
        files: Recordings of 16 kHz in 16 bits.
        stop: Ends it, after the sentence that is being said.
    """

    def __init__(self, number: int, files: Sequence[str], stop: asyncio.Event) -> None:
        self._number, self._files, self._stop = number, files, stop
        self.said: list[str] = []

    async def speech(self) -> AsyncIterator[bytes]:
        """Say it."""
        began, frames = time.monotonic(), 0
        for sound in self._sentences():
            for offset in range(0, len(sound), _FRAME_BYTES):
                await asyncio.sleep(max(0.0, began + frames * _FRAME_SECONDS - time.monotonic()))
                yield sound[offset : offset + _FRAME_BYTES]
                frames += 1

    def _sentences(self) -> Iterator[bytes]:
        yield _silence(self._number * 0.618 % 1 * _SENTENCE_SECONDS / 2)
        for file in itertools.islice(itertools.cycle(self._files), self._number, None):
            if self._stop.is_set():
                return
            self.said.append(file)
            with wave.open(file, "rb") as recording:
                clip = recording.readframes(recording.getnframes())
            yield clip + _silence(_SENTENCE_SECONDS - len(clip) / _BYTES_PER_SECOND)


def _silence(seconds: float) -> bytes:
    return bytes(2 * round(seconds * _BYTES_PER_SECOND / 2))


async def hear(client: Client, speaker: Speaker) -> dict[str, object]:
    """Return what became of one stream."""
    text, ids, ended = "", [], "not closed"
    try:
        async for message in client.transcribe(speaker.speech(), language="en"):
            match message:
                case FinalSegment():
                    text += message.text
                    ids.append(message.id)
                case Closed():
                    ended = message.reason
                case _:
                    pass
    except StreamRefused as problem:
        ended = str(problem)
    return {"said": speaker.said, "text": text.strip(), "ids": ids, "ended": ended, "resumed": client.resumed}


async def main(url: str, count: str, *files: str) -> None:
    """Speak in all, and print what was heard."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    key = os.environ["OPENAI_API_KEY"]
    sys.stderr.write("speaking\n")
    heard = await asyncio.gather(
        *(hear(Client(url, key), Speaker(number, files, stop)) for number in range(int(count)))
    )
    sys.stdout.write(json.dumps(heard) + "\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
