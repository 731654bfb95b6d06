"""Client secrets: what a browser opens conversations with, as OpenAI's clients know them.

Each is signed, bound to the credential that asked for it, and opens nothing else. Unlike a stream token it is good more
than once, until it expires: clients that lose a connection open another one with it.
"""

from datetime import timedelta
from typing import Final

from whisper_inference.errors import Unauthenticated
from whisper_inference.security.authentication import Authenticator
from whisper_inference.security.credentials import bearer_token
from whisper_inference.security.roles import Principal
from whisper_inference.security.stream_tokens import StreamToken, StreamTokens
from whisper_inference.security.tokens import CLIENT_SECRET_PREFIX

LONGEST: Final = timedelta(hours=2)


class ClientSecrets:
    """Issues client secrets, and says whose they are.

    Args:
        authenticator: Knows what else opens a conversation.
        tokens: Makes and keeps them.
    """

    def __init__(self, authenticator: Authenticator, tokens: StreamTokens) -> None:
        self.authenticator = authenticator
        self._tokens = tokens

    async def issue(self, principal: Principal, lifetime: timedelta, wishes: str) -> StreamToken:
        """Make a secret for who has shown a credential.

        Args:
            principal: Who.
            lifetime: `LONGEST` at most.
            wishes: How conversations are set that it opens.

        Raises:
            NotFound: This server cannot sign tokens.
            StoreUnavailable: There is nowhere to keep it.
        """
        return await self._tokens.grant(principal, CLIENT_SECRET_PREFIX, min(lifetime, LONGEST), wishes)

    async def open(self, secret: str) -> tuple[Principal, str | None]:
        """Say whose a secret is, with the role that they have now, and what it was made for.

        Raises:
            Unauthenticated: It is not one of this server's, is too old, or its credential has ended.
            StoreUnavailable: It cannot be looked up.
        """
        grant = await self._tokens.look_up(secret, CLIENT_SECRET_PREFIX, LONGEST)
        if grant is None:
            raise Unauthenticated("The client secret has expired, or is none of this server's: ask for another.")
        return await self._tokens.find(grant), grant.wishes


class Shown:
    """A credential that somebody shows who opens a conversation.

    Args:
        known: The secrets that may be shown.
    """

    def __init__(self, known: ClientSecrets) -> None:
        self._known = known
        self.wishes: str | None = None
        """What the secret was made for, if it is one."""

    async def identify(self, authorization: str | None) -> Principal:
        """Say who it is: by a client secret, or by what opens every route.

        Raises:
            Unauthenticated: It is neither.
            StoreUnavailable: It cannot be looked up.
        """
        token = bearer_token(authorization)
        if not token.startswith(f"{CLIENT_SECRET_PREFIX}_"):
            return await self._known.authenticator.identify(authorization)
        principal, self.wishes = await self._known.open(token)
        return principal
