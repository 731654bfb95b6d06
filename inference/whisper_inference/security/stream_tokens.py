"""Stream tokens: what a browser opens a WebSocket with, because it can send no header and a URL is logged.

Each is signed, good once and for a minute, and bound to the credential that asked for it: when that credential ends,
the token ends. It opens nothing else. That it is used once is the store's doing, so replicas that share a Redis agree.
"""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from whisper_inference.errors import NotFound, Unauthenticated
from whisper_inference.security.authentication import Authenticator
from whisper_inference.security.credentials import bearer_token
from whisper_inference.security.roles import Principal
from whisper_inference.security.tokens import STREAM_PREFIX, TokenSigner
from whisper_inference.sessions.store import SessionId, SessionStore


class StreamGrant(BaseModel):
    """What is kept of a stream token until somebody uses it."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["stream"] = "stream"
    credential: str
    session: SessionId | None
    """Of who has logged in."""
    proof: str | None
    """Of the key of who has one: with another key, it is good no more."""
    expires: AwareDatetime
    wishes: str | None = None
    """How the stream is to be set, for whoever opens it."""


class StreamToken(NamedTuple):
    """A token, and its end."""

    token: str
    expires: datetime


class StreamTokens:
    """Issues stream tokens, and redeems each once.

    Args:
        authenticator: Knows the credentials that tokens are bound to.
        store: Where they are kept; shared by replicas.
        spare_signer: Signs where there is no `SECRET_KEY`; `None` where others must be able to check what it signs.
        lifetime: How long a token waits to be used.
        clock: The time, with its zone.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        store: SessionStore,
        spare_signer: TokenSigner | None,
        *,
        lifetime: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._authenticator = authenticator
        self._store = store
        self._spare_signer = spare_signer
        self._lifetime = lifetime
        self._clock = clock

    async def issue(self, principal: Principal) -> StreamToken:
        """Make a token for who has shown a credential.

        Raises:
            NotFound: This server cannot sign tokens.
            StoreUnavailable: There is nowhere to keep it.
        """
        return await self.grant(principal, STREAM_PREFIX, self._lifetime)

    async def grant(
        self, principal: Principal, prefix: str, lifetime: timedelta, wishes: str | None = None
    ) -> StreamToken:
        """Make a token of a kind, which waits for so long; see `issue`."""
        signer = self._signer()
        made = signer.make(f"stream {principal.credential}", secrets.token_bytes, prefix)
        found = self._authenticator.credentials.find_key(principal.credential, self._clock())
        grant = StreamGrant(
            credential=principal.credential,
            session=None if principal.session is None else principal.session.key,
            proof=None if found is None else signer.prove(found[1]),
            expires=self._clock() + lifetime,
            wishes=wishes,
        )
        await self._store.create(made.key, grant.model_dump_json().encode(), lifetime, lifetime)
        return StreamToken(made.token, grant.expires)

    async def identify(self, authorization: str | None) -> Principal:
        """Say who opens a stream, by a stream token or by what opens every route.

        Raises:
            Unauthenticated: It is neither.
            StoreUnavailable: It cannot be looked up.
        """
        token = bearer_token(authorization)
        if token.startswith(f"{STREAM_PREFIX}_"):
            return await self.redeem(token)
        return await self._authenticator.identify(authorization)

    async def redeem(self, token: str) -> Principal:
        """Take a token, which is good no more, and say who sends it, with the role that they have now.

        Raises:
            Unauthenticated: It is not one of this server's, was used, is too old, or its credential has ended.
            StoreUnavailable: It cannot be looked up.
        """
        key = self._signer().open(token, STREAM_PREFIX)
        grant = None if key is None else await self._take(key)
        if grant is None or self._clock() >= grant.expires:
            raise Unauthenticated("The stream token is over: each is good once, and for a short time. Ask for another.")
        return await self.find(grant)

    async def look_up(self, token: str, prefix: str, longest: timedelta) -> StreamGrant | None:
        """Return what a token of a kind stands for, which stays good; `None` if it is over, or not of this server's.

        Raises:
            StoreUnavailable: It cannot be looked up.
        """
        key = self._signer().open(token, prefix)
        value = None if key is None else await self._store.read(key, longest)
        grant = None if value is None else _parse(value)
        if key is not None and grant is not None and self._clock() >= grant.expires:
            await self._store.delete(key)
            return None
        return grant

    async def find(self, grant: StreamGrant) -> Principal:
        """Say whose a grant is, with the role that they have now.

        Raises:
            Unauthenticated: The credential that asked for it has ended.
            StoreUnavailable: It cannot be looked up.
        """
        signer = self._signer()
        if grant.session is not None:
            return await self._authenticator.find_session(grant.session)
        found = self._authenticator.credentials.find_key(grant.credential, self._clock())
        if found is None or grant.proof is None or not signer.proves(found[1], grant.proof):
            raise Unauthenticated("The API key that asked for this stream token is good no more.")
        return found[0]

    async def _take(self, key: SessionId) -> StreamGrant | None:
        value = await self._store.read(key, self._lifetime)
        if value is None or not await self._store.delete(key):
            return None
        return _parse(value)

    def _signer(self) -> TokenSigner:
        signer = self._authenticator.credentials.signer or self._spare_signer
        if signer is None:
            raise NotFound(
                "There are no stream tokens here: servers that share a Redis need WHISPER_SECRET_KEY for them."
            )
        return signer


def _parse(value: bytes) -> StreamGrant | None:
    try:
        return StreamGrant.model_validate_json(value)
    except ValidationError:
        return None  # of a version that wrote it otherwise
