"""Stream tokens: good once, for a short time, for as long as the credential that asked for them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.support.door import ANNA, SECRET_KEY, Door
from tests.support.keys import make_account_key
from tests.support.redis_server import redis_server
from whisper_inference.errors import NotFound, Unauthenticated
from whisper_inference.security.accounts import Accounts, parse_accounts
from whisper_inference.security.roles import Role
from whisper_inference.security.stream_tokens import StreamTokens
from whisper_inference.security.tokens import TokenSigner
from whisper_inference.sessions.availability import Availability
from whisper_inference.sessions.redis import RedisStore
from whisper_inference.sessions.redis_address import connect
from whisper_inference.sessions.redis_link import RedisLink
from whisper_inference.sessions.store import SessionStore

KEY, ENTRY = make_account_key("newsroom", Role.TRANSCRIBER, timedelta(days=1))
NEWSROOM: Final = parse_accounts(f"keys:\n{ENTRY}", "accounts.yaml")
BY_KEY: Final = f"Bearer {KEY}"
LIFETIME: Final = timedelta(seconds=60)


def tokens_at(door: Door, store: SessionStore | None = None, spare: TokenSigner | None = None) -> StreamTokens:
    """Tokens of a server with that door."""
    return StreamTokens(door.authenticator, store or door.store, spare, lifetime=LIFETIME, clock=door.now)


async def refuses(tokens: StreamTokens, token: str) -> bool:
    """Say whether a token is refused."""
    try:
        await tokens.redeem(token)
    except Unauthenticated:
        return True
    return False


@pytest.mark.parametrize("how", ["session", "named key", "one key"])
def test_a_token_says_once_who_asked_for_it(how: str) -> None:
    async def work() -> None:
        door = Door(key=SecretStr("the-one-key-of-the-tests"), accounts=NEWSROOM)
        header = {"named key": BY_KEY, "one key": "Bearer the-one-key-of-the-tests"}.get(how) or await door.log_in()
        someone, tokens = await door.who(header), tokens_at(door)
        made = await tokens.issue(someone)
        assert made.expires == door.now() + LIFETIME
        assert await tokens.redeem(made.token) == someone
        assert await refuses(tokens, made.token)

    asyncio.run(work())


def test_of_many_who_use_a_token_at_once_one_gets_in(tmp_path: Path) -> None:
    """On two servers that share a Redis."""

    async def redeem_everywhere(address: str) -> None:
        links = [RedisLink(connect(address), Availability(time.monotonic, lambda _: None)) for _ in range(2)]
        stores = [RedisStore(link) for link in links]
        doors = [Door(accounts=NEWSROOM) for _ in stores]
        servers = [tokens_at(door, store) for door, store in zip(doors, stores, strict=True)]
        made = await servers[0].issue(await doors[0].who(BY_KEY))
        refused = await asyncio.gather(*(refuses(servers[number % 2], made.token) for number in range(10)))
        assert sorted(refused) == [False] + [True] * 9
        for store in stores:
            await store.close()

    with redis_server(tmp_path) as server:
        asyncio.run(redeem_everywhere(server.address))
        assert all(server.client.ttl(name) > 0 for name in server.client.keys("*"))


def test_a_token_ends_by_itself() -> None:
    async def work() -> None:
        door = Door(accounts=NEWSROOM)
        tokens = tokens_at(door)
        made = await tokens.issue(await door.who(BY_KEY))
        door.clock.advance(61)
        assert await refuses(tokens, made.token)

    asyncio.run(work())


async def _log_out(door: Door, header: str) -> None:
    await door.authenticator.log_out(await door.who(header), everywhere=False)


async def _change_password(door: Door, _: str) -> None:
    door.change(logins={"anna": replace(ANNA, fingerprint="another")})


async def _remove_key(door: Door, _: str) -> None:
    door.change(accounts=Accounts())


async def _replace_key(door: Door, _: str) -> None:
    """The entry stays, and another secret opens it."""
    other = NEWSROOM.keys[0].model_copy(update={"hash": "sha256:" + "0" * 64})
    door.change(accounts=Accounts(keys=(other,)))


async def _expire_key(door: Door, _: str) -> None:
    past = NEWSROOM.keys[0].model_copy(update={"expires": door.now()})
    door.change(accounts=Accounts(keys=(past,)))


async def _change_one_key(door: Door, _: str) -> None:
    door.change(key=SecretStr("another-key-of-the-tests"))


async def _remove_one_key(door: Door, _: str) -> None:
    door.change(key=None)


@pytest.mark.parametrize(
    ("header", "end"),
    [
        (None, _log_out),
        (None, _change_password),
        (BY_KEY, _remove_key),
        (BY_KEY, _replace_key),
        (BY_KEY, _expire_key),
        ("Bearer the-one-key-of-the-tests", _change_one_key),
        ("Bearer the-one-key-of-the-tests", _remove_one_key),
    ],
    ids=lambda value: (
        "header" if isinstance(value, str) else None
    ),  # a key of the tests is another one in every process
)
def test_a_token_ends_with_its_credential(header: str | None, end: Callable[[Door, str], Awaitable[None]]) -> None:
    async def work() -> None:
        door = Door(key=SecretStr("the-one-key-of-the-tests"), accounts=NEWSROOM)
        shown, tokens = header or await door.log_in(), tokens_at(door)
        made = await tokens.issue(await door.who(shown))
        await end(door, shown)
        assert await refuses(tokens, made.token)

    asyncio.run(work())


def test_a_role_that_changes_counts_when_the_token_is_used() -> None:
    async def work() -> None:
        door = Door()
        tokens = tokens_at(door)
        made = await tokens.issue(await door.enter())
        door.change(logins={"anna": replace(ANNA, role=Role.VIEWER)})
        assert (await tokens.redeem(made.token)).role is Role.VIEWER

    asyncio.run(work())


def test_a_token_opens_no_route_and_a_session_s_token_no_stream() -> None:
    async def work() -> None:
        door = Door()
        tokens, header = tokens_at(door), await door.log_in()
        made = await tokens.issue(await door.who(header))
        assert await door.refuses(f"Bearer {made.token}")
        assert await refuses(tokens, header.removeprefix("Bearer "))
        await tokens.redeem(made.token)  # being refused elsewhere has not used it up

    asyncio.run(work())


def test_a_token_outlives_a_secret_key_while_it_is_the_previous_one() -> None:
    async def work() -> None:
        door = Door(accounts=NEWSROOM)
        tokens = tokens_at(door)
        made = [await tokens.issue(await door.who(BY_KEY)) for _ in range(2)]
        door.change(signer=TokenSigner("another-secret-key-of-the-tests-9876543210", SECRET_KEY))
        await tokens.redeem(made[0].token)
        door.change(signer=TokenSigner("another-secret-key-of-the-tests-9876543210"))
        assert await refuses(tokens, made[1].token)

    asyncio.run(work())


def test_without_a_secret_key_one_process_signs_for_itself_and_several_do_not() -> None:
    async def work() -> None:
        door = Door(accounts=NEWSROOM, signer=None)
        someone = await door.who(BY_KEY)
        alone = tokens_at(door, spare=TokenSigner("made-for-this-process-0123456789"))
        assert await alone.redeem((await alone.issue(someone)).token) == someone
        with pytest.raises(NotFound, match="WHISPER_SECRET_KEY"):
            await tokens_at(door).issue(someone)

    asyncio.run(work())


@given(st.text() | st.integers(0, 150).map(str))
def test_whatever_is_sent_in_place_of_a_token_is_refused(text: str) -> None:
    async def work() -> None:
        door = Door(accounts=NEWSROOM)
        tokens = tokens_at(door)
        made = (await tokens.issue(await door.who(BY_KEY))).token
        place = int(text) % len(made) if text.isdecimal() and text.isascii() else None
        changed = text if place is None else made[:place] + ("x" if made[place] != "x" else "y") + made[place + 1 :]
        assert await refuses(tokens, changed) or changed[:-1] == made[:-1]

    asyncio.run(work())
