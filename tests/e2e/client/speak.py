"""Speaks a file at its own pace, in several streams, over and over, until it is killed: `speak.py URL FILE COUNT`.

Prints `speaking` once each of them has been told something. The key is in OPENAI_API_KEY.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from whisper_inference.errors import WhisperError
from whisper_inference.streaming.client import StreamClient

_HEADER_BYTES: Final = 44
_FRAME_SECONDS: Final = 0.1
_FRAME_BYTES: Final = 3200
_PAUSE_SECONDS: Final = 1.0


async def _sound(samples: bytes) -> AsyncIterator[bytes]:
    for offset in range(0, len(samples), _FRAME_BYTES):
        yield samples[offset : offset + _FRAME_BYTES]
        await asyncio.sleep(_FRAME_SECONDS)


async def _speak(url: str, samples: bytes, heard: asyncio.Event) -> None:
    while True:
        client = StreamClient(url, os.environ["OPENAI_API_KEY"])
        try:
            async for _ in client.transcribe(_sound(samples)):
                heard.set()
        except WhisperError as problem:
            sys.stderr.write(f"{problem}\n")
            await asyncio.sleep(_PAUSE_SECONDS)


async def main(url: str, file: str, count: int) -> None:
    """Speak the samples of a WAV of 16 kHz in 16 bits."""
    samples = (await asyncio.to_thread(Path(file).read_bytes))[_HEADER_BYTES:]
    heard = [asyncio.Event() for _ in range(count)]
    async with asyncio.TaskGroup() as tasks:
        for event in heard:
            tasks.create_task(_speak(url, samples, event))
        for event in heard:
            await event.wait()
        sys.stdout.write("speaking\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
