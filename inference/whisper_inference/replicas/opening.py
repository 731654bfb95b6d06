"""Whether this server hands requests over, and to whom, as the settings say."""

import asyncio
import ipaddress
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from whisper_contract.runtime import ENVIRONMENT_PREFIX, RuntimeConfig
from whisper_inference.replicas.announcing import Announcer, Load
from whisper_inference.replicas.board import Board
from whisper_inference.replicas.handover import Handover, HandoverObserver, peer_client
from whisper_inference.replicas.notices import GroupKey
from whisper_inference.replicas.peers import Peers
from whisper_inference.security.credentials import Credentials
from whisper_inference.sessions.redis_link import RedisLink

logger = logging.getLogger(__name__)

_PURPOSE: Final = "whisper.replicas"


@dataclass(frozen=True, slots=True)
class Replicas:
    """The way to the others."""

    handover: Handover
    announcer: Announcer

    @asynccontextmanager
    async def known(self, tell: Callable[[int], None]) -> AsyncIterator[None]:
        """Let the others know of this one inside, and this one of them.

        Args:
            tell: Called with how many others there are.
        """
        task = asyncio.create_task(self.announcer.run(tell))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            await self.handover.close()


def open_replicas(
    settings: RuntimeConfig,
    link: RedisLink | None,
    credentials: Callable[[], Credentials],
    load: Callable[[], Load | None],
    observer: HandoverObserver,
) -> Replicas | None:
    """Make what hands requests over; `None`, and why in the log, where that cannot be.

    Args:
        settings: With the address for the others.
        link: The way to Redis, if there is one.
        credentials: Those of the moment.
        load: This replica's load of the moment; `None` while it takes no requests.
        observer: Is told what becomes of requests.
    """
    if settings.advertised_host is None or link is None:
        return None
    reason = _hindrance(settings, credentials())
    if reason is not None:
        logger.warning("Requests are not handed over when this server is full: %s", reason)
        return None

    def key() -> GroupKey | None:
        return _group_key(credentials())

    peers = Peers(time.monotonic)
    announcer = Announcer(Board(link), advertised_url(settings), load, key, peers)
    return Replicas(Handover(peers, announcer.refresh, key, peer_client(None), observer), announcer)


def advertised_url(settings: RuntimeConfig) -> str:
    """Return where other replicas reach this one."""
    host = settings.advertised_host or settings.host
    try:
        bracketed = f"[{host}]" if ipaddress.ip_address(host).version == 6 else host  # noqa: PLR2004 - IPv6
    except ValueError:
        bracketed = host
    return f"http://{bracketed}:{settings.port}"


def _hindrance(settings: RuntimeConfig, credentials: Credentials) -> str | None:
    if settings.port == 0:
        return "its port is not known before it listens; name one."
    if settings.tls_cert_file is not None:
        return "its certificate names it for clients, and other replicas know it by its address alone."
    if credentials.signer is None:
        return f"replicas recognize one another by {ENVIRONMENT_PREFIX}SECRET_KEY; give them all the same one."
    return None


def _group_key(credentials: Credentials) -> GroupKey | None:
    return None if credentials.signer is None else GroupKey(credentials.signer.derive(_PURPOSE))
