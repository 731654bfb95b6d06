"""Who sends a request, and the logins that make sessions."""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from whisper_inference.errors import InvalidRequest, Unauthenticated
from whisper_inference.security.attempts import Attempts
from whisper_inference.security.credentials import Credentials, bearer_token
from whisper_inference.security.passwords import Passwords
from whisper_inference.security.roles import OpenSession, Principal
from whisper_inference.security.tokens import PREFIX, TokenSigner, owner_tag
from whisper_inference.sessions.login import LoginSession, LoginSessions
from whisper_inference.sessions.store import SessionId

logger = logging.getLogger(__name__)

_OVER: Final = "The session is over: log in again."


@dataclass(slots=True)
class Authenticator:
    """Holds requests against the credentials of the moment, and against sessions."""

    credentials: Credentials
    sessions: LoginSessions
    attempts: Attempts
    passwords: Passwords
    clock: Callable[[], datetime]
    _told: set[str] = field(default_factory=set)
    """Outdated hashes that the log has named."""

    @property
    def outdated(self) -> frozenset[str]:
        """The accounts whose password was hashed at another cost than the settings ask for."""
        logins = self.credentials.logins.items()
        return frozenset(name for name, login in logins if self.passwords.is_outdated(login.password_hash))

    def use(self, credentials: Credentials) -> None:
        """Accept these from now on; sessions of accounts that are gone, or have another password, are over."""
        self.credentials = credentials

    async def identify(self, authorization: str | None) -> Principal:
        """Say who sends a request.

        Raises:
            Unauthenticated: There is no bearer token, or it opens nothing.
            StoreUnavailable: It is a session's, and sessions cannot be reached.
        """
        token = bearer_token(authorization)
        if token.startswith(f"{PREFIX}_"):
            return await self._identify_session(token)
        return self.credentials.check_key(token, self.clock())

    def find_account(self, name: str) -> Principal | None:
        """Say who has an account."""
        login = self.credentials.logins.get(name)
        return None if login is None else Principal(name, login.role, f"account:{name}")

    async def log_in(self, account: str, password: str, address: str) -> tuple[str, LoginSession]:
        """Open a session; return its token.

        Raises:
            Unauthenticated: There is no such account, or the password is another; it is not said which.
            TooManyAttempts: There were too many wrong passwords.
            StoreUnavailable: Sessions cannot be reached.
        """
        signer = self._signer()
        await self.attempts.check(account, address)
        login = self.credentials.logins.get(account)
        hashed, instead = None if login is None else login.password_hash, self._stand_in(signer, account)
        if not await self.passwords.check(hashed, password, instead) or login is None:
            await self.attempts.failed(account, address)
            raise Unauthenticated("The name or the password is wrong.")
        await self.attempts.succeeded(account, address)
        self._tell_if_outdated(account, login.password_hash)
        made = signer.make(account, secrets.token_bytes)
        return made.token, await self.sessions.open(made.key, account, login.fingerprint)

    def _tell_if_outdated(self, account: str, hashed: str) -> None:
        """Say once what only the owner of accounts.yaml can do: the file is not the server's to write."""
        if hashed not in self._told and self.passwords.is_outdated(hashed):
            self._told.add(hashed)
            logger.warning(
                "The password of %s is hashed at another cost than the settings ask for: "
                "type `whisper-inference hash-password`, and put what it prints into the accounts file",
                account,
            )

    async def renew(self, principal: Principal) -> tuple[str, LoginSession]:
        """Give a session another token; the old one is good no more, and the session's end stays."""
        key, login = _session_of(principal)
        made = self._signer().make(principal.name, secrets.token_bytes)
        await self.sessions.move(key, made.key, login)
        return made.token, login

    async def log_out(self, principal: Principal, *, everywhere: bool) -> None:
        """End a session, or all of its owner."""
        key, _ = _session_of(principal)
        if everywhere:
            await self.sessions.end_all(owner_tag(principal.name))
        else:
            await self.sessions.end(key)

    async def find_session(self, key: SessionId) -> Principal:
        """Say whose a session is; using it keeps it for longer.

        Raises:
            Unauthenticated: It is over, or its account is gone or has another password.
            StoreUnavailable: Sessions cannot be reached.
        """
        session = await self.sessions.find(key)
        login = None if session is None else self.credentials.logins.get(session.account)
        if session is None or login is None or login.fingerprint != session.fingerprint:
            raise Unauthenticated(_OVER)
        opened = OpenSession(key, session)
        return Principal(session.account, login.role, f"account:{session.account}", opened, login.quota)

    def _stand_in(self, signer: TokenSigner, name: str) -> str | None:
        """Choose whose hash a name that nobody has is held against: the same one each time, and nobody can tell which.

        Hashes may have been made at different costs, and how long it takes must not say which names exist.
        """
        hashes = [login.password_hash for login in self.credentials.logins.values()]
        if not hashes:
            return None
        return hashes[int.from_bytes(signer.derive(f"nobody:{name}")[:8]) % len(hashes)]

    async def _identify_session(self, token: str) -> Principal:
        key = self._signer().open(token)
        if key is None:
            raise Unauthenticated(_OVER)
        return await self.find_session(key)

    def _signer(self) -> TokenSigner:
        if self.credentials.signer is None:
            raise Unauthenticated("Nobody can log in to this server: send an API key.")
        return self.credentials.signer


def _session_of(principal: Principal) -> OpenSession:
    if principal.session is None:
        raise InvalidRequest("An API key has no session: this is for who has logged in.")
    return principal.session
