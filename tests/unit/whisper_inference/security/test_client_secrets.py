"""Client secrets: good until they expire, for as long as the credential that asked for them."""

import asyncio
from datetime import timedelta
from typing import Final

import pytest

from tests.support.door import Door
from tests.support.keys import make_account_key
from whisper_inference.errors import Unauthenticated
from whisper_inference.security.accounts import Accounts, parse_accounts
from whisper_inference.security.client_secrets import LONGEST, ClientSecrets, Shown
from whisper_inference.security.roles import Role
from whisper_inference.security.stream_tokens import StreamTokens

KEY, ENTRY = make_account_key("newsroom", Role.TRANSCRIBER, timedelta(days=1))
NEWSROOM: Final = parse_accounts(f"keys:\n{ENTRY}", "accounts.yaml")
BY_KEY: Final = f"Bearer {KEY}"
MINUTE: Final = timedelta(minutes=1)


def secrets_at(door: Door) -> tuple[ClientSecrets, StreamTokens]:
    """Secrets and stream tokens of a server with that door."""
    tokens = StreamTokens(door.authenticator, door.store, None, lifetime=MINUTE, clock=door.now)
    return ClientSecrets(door.authenticator, tokens), tokens


def test_a_secret_says_again_and_again_who_asked_for_it_and_what_for() -> None:
    async def work() -> None:
        door = Door(accounts=NEWSROOM)
        known, _ = secrets_at(door)
        someone = await door.who(BY_KEY)
        made = await known.issue(someone, MINUTE, "wishes")
        assert made.token.startswith("ek_")
        assert made.expires == door.now() + MINUTE
        for _ in range(3):
            assert await known.open(made.token) == (someone, "wishes")

    asyncio.run(work())


def test_a_secret_ends_at_its_time_however_often_it_was_used() -> None:
    async def work() -> None:
        door = Door(accounts=NEWSROOM)
        known, _ = secrets_at(door)
        made = await known.issue(await door.who(BY_KEY), timedelta(days=1), "")
        assert made.expires == door.now() + LONGEST
        for _ in range(3):
            door.clock.advance(LONGEST.total_seconds() / 4)
            await known.open(made.token)
        door.clock.advance(LONGEST.total_seconds() / 4)
        with pytest.raises(Unauthenticated, match="expired"):
            await known.open(made.token)

    asyncio.run(work())


def test_a_secret_ends_with_the_credential_that_asked_for_it() -> None:
    async def work() -> None:
        door = Door(accounts=NEWSROOM)
        known, _ = secrets_at(door)
        made = await known.issue(await door.who(BY_KEY), MINUTE, "")
        door.change(accounts=Accounts())
        with pytest.raises(Unauthenticated):
            await known.open(made.token)

    asyncio.run(work())


def test_a_secret_is_no_stream_token_and_a_stream_token_no_secret() -> None:
    async def work() -> None:
        door = Door(accounts=NEWSROOM)
        known, tokens = secrets_at(door)
        someone = await door.who(BY_KEY)
        secret, token = await known.issue(someone, MINUTE, ""), await tokens.issue(someone)
        with pytest.raises(Unauthenticated):
            await tokens.redeem(secret.token)
        with pytest.raises(Unauthenticated):
            await known.open(token.token)
        assert (await known.open(secret.token))[0] == someone

    asyncio.run(work())


def test_who_shows_a_key_instead_asks_for_nothing() -> None:
    async def work() -> None:
        door = Door(accounts=NEWSROOM)
        known, _ = secrets_at(door)
        by_key = Shown(known)
        assert await by_key.identify(BY_KEY) == await door.who(BY_KEY)
        assert by_key.wishes is None
        made = await known.issue(await door.who(BY_KEY), MINUTE, "wishes")
        by_secret = Shown(known)
        assert await by_secret.identify(f"Bearer {made.token}") == await door.who(BY_KEY)
        assert by_secret.wishes == "wishes"
        with pytest.raises(Unauthenticated):
            await Shown(known).identify(None)

    asyncio.run(work())
