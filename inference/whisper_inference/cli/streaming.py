"""The command `stream`: speaks a file, standard input or a microphone, and shows the text while it grows."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.text import Text

from whisper_inference.audio.decoding import AudioLimits, decode_audio
from whisper_inference.audio.features import SAMPLE_RATE
from whisper_inference.cli.microphone import SoundLibrary, load_sound_library, open_microphone
from whisper_inference.errors import InvalidRequest
from whisper_inference.streaming.client import StreamClient
from whisper_inference.streaming.protocol import AudioFormat, FinalSegment, PartialText

STANDARD_INPUT: Final = "-"
_FRAME_SECONDS: Final = 0.1
_FRAME_BYTES: Final = int(SAMPLE_RATE * _FRAME_SECONDS) * 2
_LIMITS: Final = AudioLimits(max_upload_bytes=2**40, max_duration=86_400, max_decoding=86_400)
"""The owner of the file may send all of it; the server has limits of its own."""


class Wish(NamedTuple):
    """What was typed."""

    source: str | None
    url: str
    api_key: str | None
    fast: bool
    microphone: bool


def run(wish: Wish, **start: str | None) -> int:
    """Stream, and return the exit code.

    Raises:
        WhisperError: The source cannot be read or used, or the server refuses.
    """
    if (wish.source is None) != wish.microphone:
        raise InvalidRequest("Name a sound file or - for standard input, or say --microphone: one of them.")
    client = StreamClient(wish.url, wish.api_key)
    asked: dict[str, object] = {name: value for name, value in start.items() if value is not None}
    if wish.source is None:
        asyncio.run(_listen(client, load_sound_library(), asked))
    else:
        asyncio.run(_show(client, _sound(wish.source, fast=wish.fast), asked))
    return 0


async def _listen(client: StreamClient, library: SoundLibrary, start: dict[str, object]) -> None:
    console = Console(stderr=True)
    with open_microphone(library) as microphone:
        console.print("Listening. Ctrl+C ends.", style="dim")
        audio = AudioFormat(sample_rate=microphone.rate)
        await _show(client, microphone.frames(), start | {"audio": audio.model_dump()})
    if microphone.gaps:
        console.print(f"Sound was lost {microphone.gaps} times: this computer was too busy to record it.")


async def _show(client: StreamClient, sound: AsyncIterator[bytes], start: Mapping[str, object]) -> None:
    with Live(Text(), console=Console(stderr=True), transient=True, auto_refresh=False) as live:
        async for message in client.transcribe(sound, **start):
            match message:
                case PartialText():
                    live.update(two_tone(message), refresh=True)
                case FinalSegment():
                    live.update(Text(), refresh=True)
                    sys.stdout.write(f"{message.text.strip()}\n")
                    sys.stdout.flush()
                case _:
                    pass


def two_tone(partial: PartialText) -> Text:
    """Show what stays bright, and what may change dim."""
    return Text.assemble((partial.stable_text.lstrip(), "bold"), (partial.unstable_text, "dim"))


def _sound(source: str, *, fast: bool) -> AsyncIterator[bytes]:
    return _standard_input() if source == STANDARD_INPUT else _file(_samples(Path(source)), fast=fast)


def _samples(file: Path) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as problem:
        raise InvalidRequest(f"{file} cannot be read: {problem.strerror}.") from problem
    return (decode_audio(content, _LIMITS) * 32767).astype(np.int16).tobytes()


async def _file(samples: bytes, *, fast: bool) -> AsyncIterator[bytes]:
    for offset in range(0, len(samples), _FRAME_BYTES):
        yield samples[offset : offset + _FRAME_BYTES]
        if not fast:
            await asyncio.sleep(_FRAME_SECONDS)


async def _standard_input() -> AsyncIterator[bytes]:
    while frame := await asyncio.to_thread(sys.stdin.buffer.read, _FRAME_BYTES):
        yield frame
