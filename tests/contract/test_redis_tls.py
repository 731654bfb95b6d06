"""A Redis behind TLS that lets in one user with its own commands and keys, as managed ones do."""

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from tests.support.certificates import pair, write, write_authorities
from tests.support.redis_server import RedisServer
from whisper_inference.errors import StoreUnavailable
from whisper_inference.sessions.availability import Availability
from whisper_inference.sessions.redis import RedisStore
from whisper_inference.sessions.redis_address import connect
from whisper_inference.sessions.redis_link import RedisLink
from whisper_inference.sessions.store import SessionId
from whisper_operator.play.ports import free_port

MINUTE = timedelta(minutes=1)
NEEDED = "+eval +evalsha +script|load +getex +set +get +del +pttl +pexpire +incr +sadd +srem +smembers +ping +scan"


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Where a Redis speaks TLS; the authority is in `ca.crt`, and the user `speech` may touch our keys alone."""
    files, authority = pair(tmp_path), trustme.CA()
    write(files, authority)
    trusted = write_authorities(tmp_path / "ca.crt", authority)
    tls_port = free_port()
    options: tuple[str, ...] = (
        "--tls-port",
        str(tls_port),
        "--tls-auth-clients",
        "no",
        "--tls-ca-cert-file",
        str(trusted),
    )
    options += ("--tls-cert-file", str(files.certificate), "--tls-key-file", str(files.key))
    server = RedisServer(tmp_path / "data", *options)
    server.client.execute_command(f"ACL SETUSER speech on >s3cret ~whisper:* -@all +@connection {NEEDED}")
    yield tls_port
    server.stop()


def keep(address: str) -> bytes | None:
    """Keep a session, and find it."""

    async def whole() -> bytes | None:
        store = RedisStore(RedisLink(connect(address), Availability(time.monotonic, lambda _: None)))
        try:
            key = SessionId("a1", "b2")
            await store.create(key, b"session", MINUTE, MINUTE)
            await store.count("wrong", MINUTE)
            await store.hold("locked", MINUTE)
            assert await store.held_for("locked")
            assert await store.delete_all("another") == 0
            return await store.read(key, MINUTE)
        finally:
            await store.close()

    return asyncio.run(whole())


def test_sessions_are_kept_by_a_user_of_our_own_behind_tls(port: int, tmp_path: Path) -> None:
    assert keep(f"rediss://speech:s3cret@127.0.0.1:{port}/0?ssl_ca_certs={tmp_path / 'ca.crt'}") == b"session"


@pytest.mark.parametrize(
    "address",
    [
        "rediss://speech:wrong@127.0.0.1:{port}/0?ssl_ca_certs={folder}/ca.crt",
        "rediss://speech:s3cret@127.0.0.1:{port}/0",
        "redis://speech:s3cret@127.0.0.1:{port}/0",
    ],
    ids=["a wrong password", "an authority that nobody trusts", "no TLS"],
)
def test_who_does_not_come_as_it_should_gets_no_session(port: int, tmp_path: Path, address: str) -> None:
    with pytest.raises(StoreUnavailable) as refused:
        keep(address.format(port=port, folder=tmp_path))
    assert "s3cret" not in str(refused.value)
