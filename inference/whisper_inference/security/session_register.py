"""Which sessions there are, for their owners and for admins, and ending them."""

from dataclasses import dataclass
from typing import Final

from whisper_inference.errors import Forbidden, InvalidRequest, NotFound
from whisper_inference.security.authentication import Authenticator
from whisper_inference.security.roles import Principal, Role
from whisper_inference.security.tokens import owner_tag
from whisper_inference.sessions.login import KnownSession

_ID_LENGTH: Final = 32


def public_id(session: KnownSession) -> str:
    """Return what a session is called where people see it: of its token's hash, which opens nothing."""
    return session.key.identity[:_ID_LENGTH]


@dataclass(frozen=True, slots=True)
class SessionRegister:
    """Lists and ends sessions: everybody's own, and anybody's for admins."""

    authenticator: Authenticator

    async def list_for(self, someone: Principal, account: str | None) -> list[KnownSession]:
        """Return the sessions of an account that are good, the oldest first.

        Args:
            someone: Who asks.
            account: Whose; `None` is one's own.

        Raises:
            Forbidden: It is somebody else's, and whoever asks is no admin.
            InvalidRequest: An API key, which has no account, named none.
            StoreUnavailable: Sessions cannot be reached.
        """
        name = _account_of(someone, account)
        login = self.authenticator.credentials.logins.get(name)
        known = await self.authenticator.sessions.all_of(owner_tag(name))
        return [each for each in known if login is not None and each.login.fingerprint == login.fingerprint]

    async def end(self, someone: Principal, identity: str, account: str | None) -> None:
        """End one session.

        Raises:
            NotFound: The account has no such session.
            WhisperError: As `list_for`.
        """
        for session in await self.list_for(someone, account):
            if public_id(session) == identity and await self.authenticator.sessions.end(session.key):
                return
        raise NotFound("There is no such session; it may be over.")

    async def end_all(self, someone: Principal, account: str | None) -> int:
        """End all sessions of an account, also of one that is gone; return how many there were.

        Raises:
            WhisperError: As `list_for`.
        """
        return await self.authenticator.sessions.end_all(owner_tag(_account_of(someone, account)))


def _account_of(someone: Principal, account: str | None) -> str:
    """A key may have an account's name: only who has logged in has an account."""
    own = None if someone.session is None else someone.session.login.account
    if account is not None and account != own:
        if someone.role is not Role.ADMIN:
            raise Forbidden("Sessions of others are for admins.")
        return account
    if own is None:
        raise InvalidRequest("An API key has no sessions: name an account.", param="account")
    return own
