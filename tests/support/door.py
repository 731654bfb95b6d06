"""A server's authentication, with a clock that the test moves and hashing that costs little."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from tests.support.clock import FakeClock
from tests.support.keys import NOW
from whisper_inference.errors import Unauthenticated
from whisper_inference.security.accounts import Accounts
from whisper_inference.security.attempts import Attempts
from whisper_inference.security.authentication import Authenticator
from whisper_inference.security.credentials import Credentials, Login
from whisper_inference.security.passwords import Argon2Parameters, Passwords, hash_password
from whisper_inference.security.roles import Principal, Role
from whisper_inference.security.tokens import TokenSigner
from whisper_inference.sessions.login import LoginSessions
from whisper_inference.sessions.memory import MemoryStore

CHEAP: Final = Argon2Parameters(8192, 1, 1)
PASSWORD: Final = "correct horse"
ANNA: Final = Login(Role.TRANSCRIBER, hash_password(PASSWORD, CHEAP), "fingerprint")
SECRET_KEY: Final = "the-secret-key-of-the-tests-0123456789"
SIGNER: Final = TokenSigner(SECRET_KEY)
ADDRESS: Final = "192.0.2.1"


class Door:
    """Who comes in, and who does not."""

    def __init__(self, **credentials: object) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore(self.clock)
        given = Credentials(None, Accounts(), {"anna": ANNA}, SIGNER)
        sessions = LoginSessions(self.store, self.now, idle=timedelta(minutes=15), absolute=timedelta(hours=1))
        self.authenticator = Authenticator(
            replace(given, **credentials),  # type: ignore[arg-type] # the test names them
            sessions,
            Attempts(self.store),
            Passwords(CHEAP),
            self.now,
        )

    def now(self) -> datetime:
        """Return the time of the clock that the test moves."""
        return NOW + timedelta(seconds=self.clock())

    def change(self, **credentials: object) -> None:
        """Accept others from now on."""
        self.authenticator.use(replace(self.authenticator.credentials, **credentials))  # type: ignore[arg-type] # as above

    async def log_in(self, name: str = "anna", password: str = PASSWORD, address: str = ADDRESS) -> str:
        """Log in; return the header that carries the token."""
        token, _ = await self.authenticator.log_in(name, password, address)
        return f"Bearer {token}"

    async def enter(self, name: str = "anna") -> Principal:
        """Log in; return who that is."""
        return await self.who(await self.log_in(name))

    async def who(self, authorization: str) -> Principal:
        """Say who sends a header."""
        return await self.authenticator.identify(authorization)

    async def refuses(self, authorization: str) -> bool:
        """Say whether a header is refused."""
        try:
            await self.who(authorization)
        except Unauthenticated:
            return True
        return False
