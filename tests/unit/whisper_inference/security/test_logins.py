"""Logins against memory, a clock that the test moves, and cheap hashing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from tests.support.door import ADDRESS, ANNA, CHEAP, PASSWORD, Door
from whisper_inference.errors import InvalidRequest, TooManyAttempts, Unauthenticated
from whisper_inference.quotas.quota import Consumer, Quota
from whisper_inference.security.credentials import Login
from whisper_inference.security.passwords import Argon2Parameters, Passwords, hash_password
from whisper_inference.security.roles import Principal, Role
from whisper_inference.security.tokens import TokenSigner
from whisper_inference.sessions.login import LoginSessions
from whisper_inference.sessions.memory import MemoryStore
from whisper_inference.sessions.store import SessionId

ResultT = TypeVar("ResultT")


def at(door: Door, work: Callable[[Door], Awaitable[ResultT]]) -> ResultT:
    async def whole() -> ResultT:
        return await work(door)

    return asyncio.run(whole())


def test_a_login_opens_a_session_with_the_account_s_role() -> None:
    async def work(door: Door) -> None:
        someone = await door.who(await door.log_in())
        assert (someone.name, someone.role) == ("anna", Role.TRANSCRIBER)

    at(Door(), work)


@pytest.mark.parametrize(("name", "password"), [("anna", "wrong"), ("nobody", PASSWORD), ("nobody", ""), ("anna", "")])
def test_a_wrong_name_and_a_wrong_password_are_told_alike(name: str, password: str) -> None:
    async def work(door: Door) -> None:
        with pytest.raises(Unauthenticated, match=r"^The name or the password is wrong\.$"):
            await door.log_in(name, password)

    at(Door(), work)


def test_a_session_ends_when_idle_and_when_old() -> None:
    async def work(door: Door) -> None:
        header = await door.log_in()
        door.clock.advance(14 * 60)
        await door.who(header)
        door.clock.advance(15 * 60 + 1)
        assert await door.refuses(header)
        header = await door.log_in()
        for _ in range(6):
            door.clock.advance(9 * 60)
            await door.who(header)
        door.clock.advance(6 * 60)
        assert await door.refuses(header)

    at(Door(), work)


def test_a_refreshed_token_replaces_the_old_one_and_the_end_stays() -> None:
    async def work(door: Door) -> None:
        header = await door.log_in()
        someone = await door.who(header)
        assert someone.session is not None
        door.clock.advance(600)
        token, session = await door.authenticator.renew(someone)
        assert session.expires == someone.session.login.expires
        assert await door.refuses(header)
        assert (await door.who(f"Bearer {token}")).name == "anna"

    at(Door(), work)


def test_logging_out_ends_this_session_or_all() -> None:
    async def work(door: Door) -> None:
        one, two, three = [await door.log_in() for _ in range(3)]
        await door.authenticator.log_out(await door.who(one), everywhere=False)
        assert [await door.refuses(header) for header in (one, two, three)] == [True, False, False]
        await door.authenticator.log_out(await door.who(two), everywhere=True)
        assert await door.refuses(three)

    at(Door(), work)


def test_an_api_key_has_no_session_to_end() -> None:
    async def work(door: Door) -> None:
        key_holder = Principal("newsroom", Role.ADMIN, "key:0")
        with pytest.raises(InvalidRequest, match="no session"):
            await door.authenticator.log_out(key_holder, everywhere=True)
        with pytest.raises(InvalidRequest, match="no session"):
            await door.authenticator.renew(key_holder)

    at(Door(), work)


@pytest.mark.parametrize("logins", [{}, {"anna": replace(ANNA, fingerprint="another")}])
def test_sessions_end_with_their_account_or_its_password(logins: dict[str, Login]) -> None:
    async def work(door: Door) -> None:
        header = await door.log_in()
        door.authenticator.use(replace(door.authenticator.credentials, logins=logins))
        assert await door.refuses(header)

    at(Door(), work)


def test_a_role_that_changes_counts_at_once() -> None:
    async def work(door: Door) -> None:
        header = await door.log_in()
        logins = {"anna": replace(ANNA, role=Role.VIEWER)}
        door.authenticator.use(replace(door.authenticator.credentials, logins=logins))
        assert (await door.who(header)).role is Role.VIEWER

    at(Door(), work)


def test_all_sessions_of_an_account_use_up_its_one_quota() -> None:
    async def work(door: Door) -> None:
        headers = [await door.log_in() for _ in range(2)]
        quota = Quota(concurrent_requests=3)
        door.authenticator.use(replace(door.authenticator.credentials, logins={"anna": replace(ANNA, quota=quota)}))
        assert {(await door.who(header)).consumer for header in headers} == {Consumer("account:anna", quota)}

    at(Door(), work)


def test_sessions_outlive_a_secret_key_while_it_is_the_previous_one() -> None:
    new = "another-secret-key-of-the-tests-9876543210"

    async def work(door: Door) -> None:
        header = await door.log_in()
        both = TokenSigner(new, "the-secret-key-of-the-tests-0123456789")
        door.authenticator.use(replace(door.authenticator.credentials, signer=both))
        assert (await door.who(header)).name == "anna"
        fresh = await door.log_in()
        door.authenticator.use(replace(door.authenticator.credentials, signer=TokenSigner(new)))
        assert await door.refuses(header)
        assert not await door.refuses(fresh)

    at(Door(), work)


def test_without_a_secret_key_nobody_logs_in() -> None:
    async def work(door: Door) -> None:
        with pytest.raises(Unauthenticated, match="send an API key"):
            await door.log_in()
        assert await door.refuses("Bearer wst_anything")

    at(Door(signer=None), work)


@given(st.integers(0, 200), st.sampled_from("x0._-A"))
def test_a_token_that_was_changed_is_refused(place: int, letter: str) -> None:
    async def work(door: Door) -> None:
        header = await door.log_in()
        index = len("Bearer ") + place % (len(header) - len("Bearer ") - 1)
        changed = header[:index] + letter + header[index + 1 :]
        assert changed == header or await door.refuses(changed)

    at(Door(), work)


async def _fail(door: Door, times: int, name: str = "anna", address: str = ADDRESS) -> int:
    """Send wrong passwords, waiting as told; return how many seconds that took."""
    waited = 0
    for _ in range(times):
        try:
            await door.log_in(name, "wrong", address)
        except TooManyAttempts as early:
            waited += early.retry_after_seconds
            door.clock.advance(early.retry_after_seconds)
            with pytest.raises(Unauthenticated):
                await door.log_in(name, "wrong", address)
        except Unauthenticated:
            pass
    return waited


def test_wrong_passwords_cost_more_and_more_time() -> None:
    async def work(door: Door) -> None:
        assert await _fail(door, 5) == 0
        with pytest.raises(TooManyAttempts):
            await door.log_in()  # even with the right one
        assert await _fail(door, 6) == 1 + 2 + 4 + 8 + 16 + 32

    at(Door(), work)


def test_a_lock_holds_for_one_address_and_other_people_s_accounts_stay_open() -> None:
    async def work(door: Door) -> None:
        await _fail(door, 5)
        await door.log_in(address="192.0.2.2")
        with pytest.raises(Unauthenticated):
            await door.log_in("bert", "wrong")

    at(Door(), work)


def test_one_address_that_tries_many_names_is_locked_out_of_all() -> None:
    async def work(door: Door) -> None:
        for number in range(20):
            await _fail(door, 1, f"name-{number}")
        with pytest.raises(TooManyAttempts):
            await door.log_in()
        await door.log_in(address="192.0.2.2")

    at(Door(), work)


def test_one_name_that_is_tried_from_everywhere_is_locked() -> None:
    async def work(door: Door) -> None:
        for number in range(100):
            await _fail(door, 1, address=f"192.0.2.{number}")
        with pytest.raises(TooManyAttempts):
            await door.log_in(address="198.51.100.1")

    at(Door(), work)


def test_a_right_password_and_time_wipe_the_slate() -> None:
    async def work(door: Door) -> None:
        await _fail(door, 4)
        await door.log_in()
        assert await _fail(door, 4) == 0
        door.clock.advance(901)
        assert await _fail(door, 4) == 0

    at(Door(), work)


OTHER = Argon2Parameters(16384, 1, 1)


def test_a_hash_made_at_another_cost_still_opens_and_the_log_names_it_once(caplog: pytest.LogCaptureFixture) -> None:
    old = replace(ANNA, password_hash=hash_password(PASSWORD, OTHER))

    async def work(door: Door) -> None:
        for _ in range(3):
            await door.log_in()

    with caplog.at_level(logging.WARNING):
        at(Door(), work)
        assert caplog.text == ""
        at(Door(logins={"anna": old}), work)
    (said,) = caplog.messages
    assert "anna" in said
    assert "whisper-inference hash-password" in said
    assert PASSWORD not in said


def test_accounts_are_outdated_until_their_password_is_hashed_again() -> None:
    old = replace(ANNA, password_hash=hash_password(PASSWORD, OTHER))
    door = Door(logins={"anna": old, "bert": ANNA})
    assert door.authenticator.outdated == {"anna"}
    door.change(logins={"anna": ANNA, "bert": ANNA})
    assert door.authenticator.outdated == set()


class Watched(Passwords):
    """Says which hashes passwords were held against."""

    def __init__(self) -> None:
        super().__init__(CHEAP)
        self.held_against: list[str | None] = []

    @override
    async def check(self, hashed: str | None, password: str, instead: str | None = None) -> bool:
        self.held_against.append(hashed or instead)
        return False


def test_names_that_nobody_has_take_as_long_as_accounts_do_whatever_those_cost() -> None:
    logins = {"anna": ANNA, "bert": replace(ANNA, password_hash=hash_password(PASSWORD, OTHER))}

    async def work(door: Door) -> list[str | None]:
        watched = door.authenticator.passwords = Watched()
        for number in range(40):
            with pytest.raises(Unauthenticated):
                await door.log_in(f"nobody-{number}", address=f"192.0.2.{number}")
        return watched.held_against

    one, other = at(Door(logins=logins), work), at(Door(logins=logins), work)
    assert one == other
    assert set(one) == {login.password_hash for login in logins.values()}


def test_a_session_that_another_version_wrote_is_over() -> None:
    async def work(door: Door) -> None:
        key = SessionId("0123", "4567")
        store = MemoryStore(lambda: 0.0)
        await store.create(key, b'{"kind": "login"}', timedelta(1), timedelta(1))
        sessions = LoginSessions(store, door.now, idle=timedelta(1), absolute=timedelta(1))
        assert await sessions.find(key) is None

    at(Door(), work)
