"""Which credentials a server starts with, and whom it lets in."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.support.keys import CHEAP, NOW, make_account_key, only_keys
from whisper_inference.errors import InvalidSettings, Unauthenticated
from whisper_inference.quotas.quota import Quota
from whisper_inference.security.accounts import parse_accounts
from whisper_inference.security.api_keys import PREFIX, make_key, take_apart
from whisper_inference.security.credentials import Credentials, bearer_token
from whisper_inference.security.passwords import Argon2Parameters, hash_password
from whisper_inference.security.reading import ADMIN, read_credentials
from whisper_inference.security.roles import Role
from whisper_inference.security.tokens import TokenSigner
from whisper_inference.settings import ServerSettings

KEY = "0123456789abcdef"
SECRET_KEY = "the-secret-key-of-the-tests-0123456789"


def read(**settings: object) -> Credentials:
    """What a server starts with."""
    return read_credentials(ServerSettings.model_validate({"model": "base", **CHEAP, **settings}))


def given_key(**settings: object) -> str:
    """The one key that a server starts with."""
    key = read(**settings).key
    assert key is not None
    return key.get_secret_value()


def test_without_a_key_one_is_made_for_loopback_alone() -> None:
    credentials = read()
    assert credentials.made is not None
    assert credentials.key == SecretStr(credentials.made.key)
    assert len(credentials.made.key) >= 43
    assert credentials.logins[ADMIN].role is Role.ADMIN
    assert given_key() != given_key(host="localhost")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org"])  # noqa: S104 - that is what is refused
def test_another_host_needs_a_given_key(host: str) -> None:
    with pytest.raises(InvalidSettings, match="needs a key"):
        read(host=host)
    assert read(host=host, api_key=KEY).made is None


def test_a_secret_key_alone_means_people_and_a_password_is_made_for_any_host() -> None:
    credentials = read(host="::", secret_key=SECRET_KEY)
    assert credentials.made is not None
    assert len(credentials.made.password) >= 22
    assert credentials.logins[ADMIN].role is Role.ADMIN
    assert credentials.signer is not None
    assert credentials.signer.proves("x", TokenSigner(SECRET_KEY).prove("x"))


def test_several_servers_that_share_a_redis_do_not_each_make_a_password() -> None:
    with pytest.raises(InvalidSettings, match="needs a key"):
        read(host="::", secret_key=SECRET_KEY, redis_url="redis://127.0.0.1")


def test_who_gives_a_key_gets_no_password_beside_it() -> None:
    credentials = read(api_key=KEY, secret_key=SECRET_KEY)
    assert credentials.made is None
    assert credentials.logins == {}


@pytest.mark.parametrize("settings", [{}, {"secret_key": SECRET_KEY}])
def test_where_nobody_would_see_it_nothing_is_made(settings: dict[str, str]) -> None:
    with pytest.raises(InvalidSettings, match="WHISPER_ADMIN_PASSWORD"):
        read_credentials(ServerSettings.model_validate({"model": "base", **CHEAP, **settings}), make=False)


def test_a_key_comes_from_a_file_without_its_line_feed(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    assert given_key(api_key_file=file) == KEY


def test_a_missing_file_and_a_weak_key_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="cannot be read"):
        given_key(api_key_file=tmp_path / "none")
    with pytest.raises(InvalidSettings, match="cannot be read"):
        given_key(accounts_file=tmp_path)
    with pytest.raises(InvalidSettings, match="at least 16"):
        given_key(api_key="short")


def test_named_keys_are_enough_for_any_host(tmp_path: Path) -> None:
    file = tmp_path / "accounts.yaml"
    key, entry = make_account_key("newsroom")
    file.write_text(f"keys:\n{entry}")
    credentials = read(host="::", accounts_file=file, api_key_file=tmp_path / "API_KEY")
    assert credentials.check_key(key, NOW).name == "newsroom"
    with pytest.raises(Unauthenticated, match="not one of"):
        credentials.check_key(KEY, NOW)


def test_only_a_bearer_token_with_the_right_key_passes() -> None:
    credentials = only_keys(KEY)
    assert bearer_token(f"Bearer {KEY}") == bearer_token(f"bearer  {KEY} ") == KEY
    assert credentials.check_key(KEY, NOW).role is Role.ADMIN
    for wrong in (None, "", KEY, f"Basic {KEY}", "Bearer "):
        with pytest.raises(Unauthenticated, match="needs a key"):
            bearer_token(wrong)
    for wrong in (f"{KEY}x", "\N{SNOWMAN}"):
        with pytest.raises(Unauthenticated, match="not one of"):
            credentials.check_key(wrong, NOW)


def test_a_named_key_opens_until_it_expires_and_another_of_the_name_beside_it() -> None:
    old, old_entry = make_account_key("newsroom", expires_in=timedelta(hours=1))
    new, new_entry = make_account_key("newsroom", Role.ADMIN)
    credentials = only_keys(accounts=old_entry + new_entry)
    assert credentials.check_key(old, NOW).role is Role.TRANSCRIBER
    assert credentials.check_key(new, NOW).role is Role.ADMIN
    with pytest.raises(Unauthenticated, match="expired"):
        credentials.check_key(old, NOW + timedelta(hours=1))
    with pytest.raises(Unauthenticated, match="not one of"):
        credentials.check_key(f"{old[:20]}{new[20:]}", NOW)


def test_it_is_known_when_the_first_owner_is_left_without_a_key() -> None:
    def entry(name: str, hours: int | None) -> str:
        return make_account_key(name, expires_in=None if hours is None else timedelta(hours=hours))[1]

    def hours_left(*entries: str) -> float | None:
        end = only_keys(accounts="".join(entries)).accounts.next_end(NOW)
        return None if end is None else (end - NOW) / timedelta(hours=1)

    assert only_keys(KEY).accounts.next_end(NOW) is None
    assert hours_left(entry("a", None), entry("b", -1)) is None
    assert hours_left(entry("a", 5), entry("b", 2), entry("c", -1)) == 2
    assert hours_left(entry("a", 5), entry("b", 2), entry("b", 9)) == 5
    assert hours_left(entry("b", 2), entry("b", None)) is None


def test_a_key_and_an_account_bring_their_quotas(tmp_path: Path) -> None:
    file = tmp_path / "accounts.yaml"
    key, entry = make_account_key("newsroom", quota=Quota(audio_seconds_per_day="unlimited"))
    hashed = hash_password("a long password", Argon2Parameters(8192, 1, 1))
    account = f"{{name: anna, role: viewer, password: '{hashed}', quotas: {{concurrentRequests: 4}}}}"
    file.write_text(f"keys:\n{entry}accounts: [{account}]")
    credentials = read(accounts_file=file, secret_key=SECRET_KEY)
    assert credentials.check_key(key, NOW).quota == Quota(audio_seconds_per_day="unlimited")
    assert credentials.logins["anna"].quota == Quota(concurrent_requests=4)


def test_a_wrong_secret_is_not_told_that_its_key_expired() -> None:
    key, entry = make_account_key("newsroom", expires_in=timedelta(hours=-1))
    other = key[:-4] + ("AAAA" if key[-4:] != "AAAA" else "BBBB")
    with pytest.raises(Unauthenticated, match="not one of"):
        only_keys(accounts=entry).check_key(other, NOW)


def test_accounts_and_the_admin_s_password_need_a_key_that_signs_sessions(tmp_path: Path) -> None:
    file = tmp_path / "accounts.yaml"
    hashed = hash_password("a long password", Argon2Parameters(8192, 1, 1))
    file.write_text(f"accounts: [{{name: anna, role: viewer, password: '{hashed}'}}]")
    for lacking in ({"accounts_file": file}, {"api_key": KEY, "admin_password": "a long password"}):
        with pytest.raises(InvalidSettings, match="WHISPER_SECRET_KEY"):
            read(**lacking)
    credentials = read(accounts_file=file, secret_key=SECRET_KEY, admin_password="a long password", host="::")
    assert {name: login.role for name, login in credentials.logins.items()} == {"anna": "viewer", ADMIN: "admin"}
    assert credentials.signer is not None
    assert credentials.key is None


def test_the_admin_s_hash_is_each_process_s_own_and_its_fingerprint_is_not() -> None:
    one, two, other = (
        read(api_key=KEY, secret_key=SECRET_KEY, admin_password=password).logins[ADMIN]
        for password in ("a long password", "a long password", "another password")
    )
    assert one.password_hash != two.password_hash
    assert one.fingerprint == two.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("weak", "sentence"),
    [
        ({"secret_key": "short"}, "secret key is weak"),
        ({"secret_key": "abababababababababababababababababababab"}, "secret key is weak"),
        ({"secret_key": SECRET_KEY, "secret_key_previous": "short"}, "previous secret key is weak"),
        ({"secret_key_previous": SECRET_KEY}, "SECRET_KEY_PREVIOUS comes beside"),
        ({"secret_key": SECRET_KEY, "admin_password": "admin"}, "admin password is weak"),
    ],
)
def test_weak_secrets_are_refused_and_not_repeated(weak: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidSettings, match=sentence) as refused:
        read(api_key=KEY, **weak)
    assert not any(value in str(refused.value) for value in weak.values() if value != "admin")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("keys: [", "not YAML: look at line 1"),
        ("- a list", r"\(the file\)"),
        ("keys: {}", r"\(keys\)"),
        ("keys: [{id: 0123456789abcdef, name: n, role: king, hash: topsecret}]", "keys.0.role.*keys.0.hash"),
        ("keys: [{id: xyz, name: '', role: admin, hash: topsecret, colour: red}]", "keys.0.id"),
        ("accounts: [{name: anna, role: admin, password: topsecret}]", "hash-password.*accounts.0.password"),
        ("colours: red", "Extra inputs .*colours"),
        ("accounts: [{name: n, role: admin, quotas: {audioSecondsPerDay: 0}}]", "quotas.audioSecondsPerDay"),
        ("accounts: [{name: n, role: admin, quotas: {concurrentRequests: topsecret}}]", "quotas.concurrentRequests"),
        ("accounts: [{name: n, role: admin, quotas: {audioMinutesPerDay: 9}}]", "Extra inputs.*audioMinutesPerDay"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
    ],
)
def test_a_file_that_means_nothing_is_refused_without_repeating_it(text: str, sentence: str) -> None:
    with pytest.raises(InvalidSettings, match=sentence) as refused:
        parse_accounts(text, "accounts.yaml")
    assert "topsecret" not in str(refused.value)


def test_two_keys_of_one_id_are_refused_and_an_empty_file_has_none() -> None:
    _, entry = make_account_key("newsroom")
    with pytest.raises(InvalidSettings, match="same id"):
        parse_accounts(f"keys:\n{entry}{entry}", "accounts.yaml")
    assert parse_accounts("", "accounts.yaml").keys == ()


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=8, max_size=8))
def test_every_key_comes_apart_as_it_was_made(secret: bytes, identity: bytes) -> None:
    key, parts = make_key(lambda size: secret if size == len(secret) else identity)
    assert take_apart(key) == parts


@given(st.one_of(st.text(), st.text().map(lambda text: f"{PREFIX}_{text}")))
def test_anything_may_come_as_a_token(token: str) -> None:
    with pytest.raises(Unauthenticated):
        only_keys(KEY).check_key(token, NOW)


@pytest.mark.parametrize(
    ("role", "may"),
    [(Role.VIEWER, {Role.VIEWER}), (Role.TRANSCRIBER, {Role.VIEWER, Role.TRANSCRIBER}), (Role.ADMIN, set(Role))],
)
def test_a_role_includes_the_ones_before_it(role: Role, may: set[Role]) -> None:
    assert {needed for needed in Role if role.includes(needed)} == may
