"""Which files make TLS, what is said of those that do not, and which certificate a connection is given."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_pem_x509_certificate

from tests.support.certificates import HOST, Pair, pair, write, write_authorities
from whisper_inference.errors import InvalidSettings
from whisper_inference.security.tls import ServerTls, Tls, follow_tls, read_tls
from whisper_inference.settings import ServerSettings

NOW = datetime.now(UTC)


class Given(NamedTuple):
    """What a server is given."""

    settings: ServerSettings
    files: Pair
    authority: trustme.CA
    clients: Path


@pytest.fixture
def given(tmp_path: Path) -> Given:
    """A certificate, and no authority for clients yet."""
    files, authority = pair(tmp_path), trustme.CA()
    write(files, authority)
    settings = ServerSettings(model="base", tls_cert_file=files.certificate, tls_key_file=files.key)
    return Given(settings, files, authority, tmp_path / "ca.crt")


def mutual(given: Given, *authorities: trustme.CA) -> ServerSettings:
    """The settings with authorities for clients."""
    return given.settings.model_copy(update={"tls_client_ca_file": write_authorities(given.clients, *authorities)})


def read(settings: ServerSettings) -> Tls:
    """What is read of files that are given."""
    tls = read_tls(settings)
    assert tls is not None
    return tls


class Listening:
    """A server that says `hello`, with the certificate that is current."""

    def __init__(self, settings: ServerSettings, published: dict[str, datetime]) -> None:
        self._settings = settings
        self._tls = ServerTls(read(settings), lambda: NOW, lambda name, _, ends: published.update({name: ends}))

    async def __aenter__(self) -> Self:
        """Listen, and follow the files."""

        async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"hello")
            writer.close()

        self._following = asyncio.create_task(follow_tls(self._settings, self._tls.use, 0.01))
        self._server = await asyncio.start_server(greet, HOST, 0, ssl=self._tls.context)
        await asyncio.sleep(0.02)  # the files as they are have been seen
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        self._server.close()
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)

    async def serial(self, context: ssl.SSLContext) -> int:
        """Connect; return which certificate was shown to somebody who was let in."""
        port = self._server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection(HOST, port, ssl=context, server_hostname=HOST)
        try:
            assert await reader.read() == b"hello"
            shown = writer.get_extra_info("peercert")
            return int(shown["serialNumber"], 16)
        finally:
            writer.close()

    async def lets_in(self, context: ssl.SSLContext) -> bool:
        """Say whether somebody is let in; with TLS 1.3 a client hears of it only when it reads."""
        try:
            await self.serial(context)
        except (ssl.SSLError, ConnectionError, AssertionError):
            return False
        return True


async def comes_true(what: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it is so."""
    for _ in range(3000):
        if await what():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not come true")


def client(given: Given, own: trustme.LeafCert | None = None) -> ssl.SSLContext:
    """A client, perhaps with a certificate."""
    context = ssl.create_default_context()
    given.authority.configure_trust(context)
    if own is not None:
        own.configure_cert(context)
    return context


def serial_of(leaf: trustme.LeafCert) -> int:
    """The number of a certificate."""
    return load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).serial_number


async def shows(server: Listening, given: Given, serial: int) -> bool:
    """Say whether a connection is given that certificate."""
    return await server.serial(client(given)) == serial


def listening(
    given: Given, work: Callable[[Listening], Awaitable[None]], settings: ServerSettings | None = None
) -> dict[str, datetime]:
    """Do something with a server; return what it published."""
    published: dict[str, datetime] = {}

    async def whole() -> None:
        async with Listening(settings or given.settings, published) as server:
            await work(server)

    asyncio.run(whole())
    return published


def test_a_renewed_certificate_is_taken_over_and_its_end_is_published(given: Given) -> None:
    async def work(server: Listening) -> None:
        for _ in range(2):
            await comes_true(partial(shows, server, given, serial_of(write(given.files, given.authority))))

    published = listening(given, work)
    assert list(published) == ["server"]
    assert published["server"] > NOW


def test_a_renewal_that_cannot_be_used_is_named_and_the_one_before_stays(
    given: Given, caplog: pytest.LogCaptureFixture
) -> None:
    first = serial_of(write(given.files, given.authority))
    foreign = given.authority.issue_cert(HOST)

    async def said(sentence: str) -> bool:
        return sentence in caplog.text

    async def work(server: Listening) -> None:
        given.files.key.write_bytes(foreign.private_key_pem.bytes())
        await comes_true(lambda: said(f"kept as it was: The key in {given.files.key} is not that of"))
        assert await shows(server, given, first)
        given.files.certificate.unlink()
        await comes_true(lambda: said(f"kept as it was: The file {given.files.certificate}"))
        assert await shows(server, given, first)
        renewed = serial_of(write(given.files, given.authority))
        await comes_true(lambda: shows(server, given, renewed))

    listening(given, work)
    assert "PRIVATE KEY" not in caplog.text


def test_an_authority_of_clients_that_is_replaced_lets_the_clients_of_the_old_one_in_no_more(given: Given) -> None:
    old, new = trustme.CA(), trustme.CA()
    of_old, of_new = client(given, old.issue_cert("a")), client(given, new.issue_cert("a"))

    async def work(server: Listening) -> None:
        assert [await server.lets_in(each) for each in (of_old, of_new)] == [True, False]
        write_authorities(given.clients, new, old)
        await comes_true(lambda: server.lets_in(of_new))
        assert await server.lets_in(of_old)
        write_authorities(given.clients, new)

        async def old_is_out() -> bool:
            return not await server.lets_in(of_old)

        await comes_true(old_is_out)
        assert [await server.lets_in(each) for each in (of_new, client(given))] == [True, False]

    published = listening(given, work, mutual(given, old))
    assert set(published) == {"server", "client_ca"}


def test_a_connection_is_given_forward_secrecy_and_no_old_version(given: Given) -> None:
    context = read(given.settings).context
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    names = [each["name"] for each in context.get_ciphers()]
    assert all(name.startswith(("TLS_", "ECDHE-")) and ("GCM" in name or "CHACHA20" in name) for name in names)


def test_a_certificate_that_has_ended_is_served_and_named(given: Given, caplog: pytest.LogCaptureFixture) -> None:
    later = datetime.max.replace(tzinfo=UTC)
    ServerTls(read(given.settings), lambda: later, lambda *_: None)
    assert "which is not now" in caplog.text
    assert "server certificate" in caplog.text


def test_without_files_there_is_no_tls() -> None:
    assert read_tls(ServerSettings(model="base")) is None


def lock(given: Given) -> None:
    """Give the key a password."""
    key = load_pem_private_key(given.files.key.read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame"))
    given.files.key.write_bytes(locked)


def mix_up(given: Given) -> None:
    """Give the certificate somebody else's key."""
    given.files.key.write_bytes(given.authority.issue_cert(HOST).private_key_pem.bytes())


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda given: given.files.key.unlink(), "cannot be read: No such file"),
        (lambda given: given.files.certificate.unlink(), "cannot be read: No such file"),
        (lambda given: given.files.certificate.write_text("no PEM"), "holds no certificate"),
        (lambda given: given.files.key.write_text("no PEM"), "are no certificate and key"),
        (lock, "without a password"),
        (mix_up, "is not that of the certificate"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(
    given: Given, damage: Callable[[Given], None], sentence: str
) -> None:
    damage(given)
    with pytest.raises(InvalidSettings, match=sentence):
        read_tls(given.settings)


@pytest.mark.parametrize("missing", ["tls_cert_file", "tls_key_file"])
def test_half_a_pair_is_refused(given: Given, missing: str) -> None:
    with pytest.raises(InvalidSettings, match="set both WHISPER_TLS_CERT_FILE and WHISPER_TLS_KEY_FILE"):
        read_tls(mutual(given, given.authority).model_copy(update={missing: None}))


def test_an_authority_that_is_none_is_refused(given: Given) -> None:
    settings = mutual(given, given.authority)
    given.clients.write_text("")
    with pytest.raises(InvalidSettings, match="holds no certificate"):
        read_tls(settings)
