"""`StreamClient` in a test: says sound at a pace of its own, with things that happen meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

from whisper_inference.streaming.client import StreamClient
from whisper_inference.streaming.protocol import FinalSegment, PartialText, ServerMessage

_FRAME: Final = 3200
"""A tenth of a second of 16 kHz in 16 bits."""


async def spoken(
    sound: bytes, moments: Mapping[int, Callable[[], None]] | None = None, pause: float = 0.02
) -> AsyncIterator[bytes]:
    """Yield tenths of a second, faster than they were said; at some of them, something happens."""
    for number, offset in enumerate(range(0, len(sound), _FRAME)):
        if moments and number in moments:
            await asyncio.to_thread(moments[number])
        yield sound[offset : offset + _FRAME]
        await asyncio.sleep(pause)


async def hear(client: StreamClient, sound: AsyncIterator[bytes]) -> list[ServerMessage]:
    """Return all that a client hears."""
    return [message async for message in client.transcribe(sound)]


def told_text(heard: list[ServerMessage]) -> str:
    """Join what is final."""
    return "".join(each.text for each in heard if isinstance(each, FinalSegment)).strip()


def told_ids(heard: list[ServerMessage]) -> list[int]:
    """The numbers of final segments, in the order of their coming."""
    return [each.id for each in heard if isinstance(each, FinalSegment)]


def takes_nothing_back(heard: list[ServerMessage]) -> bool:
    """Tell whether all text that was called stable stays as it is."""
    final = promised = ""
    for message in heard:
        final += message.text if isinstance(message, FinalSegment) else ""
        stable = message.stable_text if isinstance(message, PartialText) else ""
        if not (final + stable).startswith(promised[: len(final + stable)]):
            return False
        promised = max(promised, final + stable, key=len)
    return final == promised
