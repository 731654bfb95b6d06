"""`Handover`: a replica that is full asks the least loaded one that has room, before anyone is refused."""

import logging
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol

import httpx

from whisper_contract.surface import HANDOFF_HEADER, HandoffOutcome
from whisper_inference.errors import NotFound, Overloaded
from whisper_inference.replicas.body import Body
from whisper_inference.replicas.notices import GroupKey, Notice
from whisper_inference.replicas.peers import Peers
from whisper_inference.transcription import Seconds

logger = logging.getLogger(__name__)

EVENT_STREAM: Final = "text/event-stream"

_CONNECT_SECONDS: Final = 2.0
_WRITE_SECONDS: Final = 30.0
_MOST_AT_ONCE: Final = 256
_IDLE_SECONDS: Final = 2.0
"""Shorter than a server keeps an idle connection: else a request could meet its end."""
_KEEP_ALIVE: Final = (
    # There is no limit on how long a transcript takes; a machine that is gone is noticed within half a minute.
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)


class HandoverObserver(Protocol):
    """Who is told."""

    def handed_over(self, outcome: HandoffOutcome) -> None:
        """Take in what became of asking a replica."""
        ...


@dataclass(frozen=True, slots=True)
class Letter:
    """A request, to be sent on."""

    target: str
    """Path and query."""
    authorization: str
    headers: Mapping[str, str]
    """Others that go with it."""
    body: Body
    audio_seconds: Seconds
    """How much room it needs."""


class Handover:
    """Sends requests on, and recognizes those that were sent on.

    Args:
        peers: Whom to ask.
        refresh: Lets the peers be heard of now.
        key: The group's key of the moment; `None` where nothing is shared.
        client: Speaks to peers.
        observer: Is told what becomes of it.
    """

    def __init__(
        self,
        peers: Peers,
        refresh: Callable[[], Awaitable[None]],
        key: Callable[[], GroupKey | None],
        client: httpx.AsyncClient,
        observer: HandoverObserver,
    ) -> None:
        self._peers, self._refresh, self._key, self._client, self._observer = peers, refresh, key, client, observer

    def proves(self, proof: str, authorization: str) -> bool:
        """Say whether a request comes from a replica that has counted it."""
        key = self._key()
        return key is not None and key.proves(proof, authorization, time.time())

    async def offer(self, letter: Letter) -> httpx.Response | None:
        """Ask one peer after another; return the first answer, open if it is a stream of events.

        Returns:
            The answer, whatever it says; `None` if nobody takes the request.
        """
        key = self._key()
        asked: set[str] = set()
        while key is not None and (peer := await self._next(letter.audio_seconds, asked)) is not None:
            asked.add(peer.name)
            self._peers.promise(peer.name, letter.audio_seconds)
            outcome, answer = await self._ask(peer, letter, key)
            self._observer.handed_over(outcome)
            logger.info("Handed a request to %s: %s", peer.url, outcome)
            if answer is not None:
                return answer
        self._observer.handed_over(HandoffOutcome.NOBODY)
        return None

    async def finds_room(self, audio_seconds: Seconds) -> bool:
        """Say whether a peer has room for so much, as far as is known; that nobody has is an outcome, too."""
        if self._key() is not None and await self._next(audio_seconds, ()) is not None:
            return True
        self._observer.handed_over(HandoffOutcome.NOBODY)
        return False

    def roomiest(self) -> Notice | None:
        """Return who has room for the most streams; `None` if nobody has any. A stream is not handed over."""
        return self._peers.roomiest()

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.aclose()

    async def _next(self, audio_seconds: Seconds, asked: Collection[str]) -> Notice | None:
        peer = self._peers.least_loaded(audio_seconds, asked)
        if peer is None:
            await self._refresh()
            peer = self._peers.least_loaded(audio_seconds, asked)
        return peer

    async def _ask(self, peer: Notice, letter: Letter, key: GroupKey) -> tuple[HandoffOutcome, httpx.Response | None]:
        try:
            answer = await self._send(peer, letter, key)
        except httpx.TransportError as problem:
            logger.warning("The replica %s does not answer: %s", peer.url, type(problem).__name__)
            return HandoffOutcome.FAILED, None
        if _cannot_take_it(answer):
            return HandoffOutcome.REFUSED, None
        return HandoffOutcome.ANSWERED, answer

    async def _send(self, peer: Notice, letter: Letter, key: GroupKey) -> httpx.Response:
        headers = {
            **letter.headers,
            "Authorization": letter.authorization,
            HANDOFF_HEADER: key.prove(letter.authorization, time.time()),
            "Accept-Encoding": "identity",
            "Content-Type": letter.body.content_type,
            "Content-Length": str(await letter.body.length()),
        }
        request = self._client.build_request(
            "POST", f"{peer.url}{letter.target}", headers=headers, content=letter.body.content()
        )
        answer = await self._client.send(request, stream=True)
        if not answer.headers.get("content-type", "").startswith(EVENT_STREAM):
            await answer.aread()  # a peer that dies before its last byte has not answered
        return answer


def _cannot_take_it(answer: httpx.Response) -> bool:
    """Say whether the next one is asked: too many requests of one sender are too many everywhere."""
    if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return f'"{Overloaded.code}"' in answer.text
    if answer.status_code == HTTPStatus.NOT_FOUND:
        return f'"{NotFound.code}"' in answer.text  # it does not answer under old names
    return answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE


def peer_client(tls: ssl.SSLContext | None) -> httpx.AsyncClient:
    """Make the client that speaks to peers: by no proxy, and for as long as a transcript takes.

    Args:
        tls: Where peers speak it.
    """
    timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS, write=_WRITE_SECONDS, pool=_CONNECT_SECONDS)
    limits = httpx.Limits(max_connections=_MOST_AT_ONCE, keepalive_expiry=_IDLE_SECONDS)
    transport = httpx.AsyncHTTPTransport(
        verify=True if tls is None else tls, trust_env=False, limits=limits, socket_options=_KEEP_ALIVE
    )
    return httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False, follow_redirects=False)
