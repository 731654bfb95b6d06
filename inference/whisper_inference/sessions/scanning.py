"""Going through the keys of the store at a pace that nobody notices."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from whisper_inference.sessions.redis_link import RedisLink

_AT_ONCE: Final = 100
_PAUSE_SECONDS: Final = 0.05
"""After so many keys: 2,000 a second at most."""


async def each_key(link: RedisLink, beginning: str) -> AsyncIterator[str]:
    """Yield every key that begins so, some perhaps twice; in a cluster those of all its servers.

    Raises:
        StoreUnavailable: Redis does not answer, or does not let us look.
    """
    # KEYS would hold up everybody for as long as it takes.
    pages = link.client.scan_iter(match=f"{beginning}*", count=_AT_ONCE)
    seen = 0
    while True:
        async with link.talking():
            key = await anext(pages, None)
        if key is None:
            return
        yield key.decode()
        seen += 1
        if seen % _AT_ONCE == 0:
            await asyncio.sleep(_PAUSE_SECONDS)
