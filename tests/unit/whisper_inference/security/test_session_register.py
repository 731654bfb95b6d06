"""Sessions as their owners and admins see them."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.door import ANNA, Door
from whisper_inference.errors import Forbidden, InvalidRequest, NotFound
from whisper_inference.security.roles import Principal, Role
from whisper_inference.security.session_register import SessionRegister, public_id
from whisper_inference.security.tokens import owner_tag
from whisper_inference.sessions.store import SessionId

BERT = replace(ANNA, role=Role.ADMIN, fingerprint="of bert")
NAMESAKE = Principal("anna", Role.VIEWER, "key:0123456789abcdef")
"""A key that has an account's name."""


def test_a_person_sees_when_each_session_was_opened_and_used() -> None:
    async def work() -> None:
        door = Door()
        register = SessionRegister(door.authenticator)
        began = door.now()
        one = await door.log_in()
        door.clock.advance(60)
        someone = await door.enter()
        door.clock.advance(120)
        await door.who(one)
        door.clock.advance(30)
        first, second = await register.list_for(someone, None)
        assert (first.login.created, first.last_used) == (began, began + timedelta(seconds=180))
        assert (second.login.created, second.last_used) == (began + timedelta(seconds=60),) * 2
        assert second.idle_until == began + timedelta(seconds=60, minutes=15)
        assert second.key == (someone.session.key if someone.session else None)
        assert public_id(first) not in one
        # Looking is no use: the first ends when it would have.
        door.clock.advance(15 * 60 - 29)
        assert await register.list_for(someone, None) == []

    asyncio.run(work())


def test_one_session_ends_and_the_others_go_on() -> None:
    async def work() -> None:
        door = Door()
        register = SessionRegister(door.authenticator)
        lost, kept = await door.log_in(), await door.log_in()
        someone = await door.who(kept)
        listed = await register.list_for(someone, None)
        gone = next(each for each in listed if someone.session is not None and each.key != someone.session.key)
        await register.end(someone, public_id(gone), None)
        assert await door.refuses(lost)
        assert not await door.refuses(kept)
        with pytest.raises(NotFound):
            await register.end(someone, public_id(gone), None)

    asyncio.run(work())


def test_sessions_of_others_are_for_admins() -> None:
    async def work() -> None:
        door = Door(logins={"anna": ANNA, "bert": BERT})
        register = SessionRegister(door.authenticator)
        header = await door.log_in()
        anna, bert = await door.who(header), await door.enter("bert")
        assert len(await register.list_for(anna, "anna")) == 1
        for attempt in (
            register.list_for(anna, "bert"),
            register.end_all(anna, "bert"),
            register.end(anna, "x", "bert"),
        ):
            with pytest.raises(Forbidden):
                await attempt
        assert [each.login.account for each in await register.list_for(bert, "anna")] == ["anna"]
        assert await register.end_all(bert, "anna") == 1
        assert await door.refuses(header)
        assert await register.list_for(bert, "nobody") == []

    asyncio.run(work())


def test_a_key_does_not_reach_the_account_that_has_its_name() -> None:
    async def work() -> None:
        door = Door()
        register = SessionRegister(door.authenticator)
        header = await door.log_in()
        for attempt in (register.list_for(NAMESAKE, None), register.end_all(NAMESAKE, None)):
            with pytest.raises(InvalidRequest, match="name an account"):
                await attempt
        with pytest.raises(Forbidden):
            await register.end_all(NAMESAKE, "anna")
        assert not await door.refuses(header)
        admin = replace(NAMESAKE, role=Role.ADMIN)
        assert await register.end_all(admin, "anna") == 1

    asyncio.run(work())


def test_what_is_over_is_not_listed() -> None:
    """A changed password, an account that is gone, an end that has come, and what another version wrote."""

    async def work() -> None:
        door = Door()
        register = SessionRegister(door.authenticator)
        admin = replace(NAMESAKE, role=Role.ADMIN)
        await door.log_in()
        other = SessionId(owner_tag("anna"), "f" * 64)
        await door.store.create(other, b'{"kind": "login", "of": "another version"}', *[timedelta(minutes=5)] * 2)
        assert len(await register.list_for(admin, "anna")) == 1
        door.change(logins={"anna": replace(ANNA, fingerprint="another")})
        assert await register.list_for(admin, "anna") == []
        door.change(logins={})
        assert await register.list_for(admin, "anna") == []

    asyncio.run(work())
