"""The server behind TLS: real handshakes, renewed certificates, clients with certificates and without."""

import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import trustme

from tests.api.conftest import EXAMPLES
from tests.api.test_serving import command, environment
from tests.support.certificates import HOST, Pair, pair, write, write_authorities
from tests.support.patience import eventually
from tests.support.running_server import KEY, RunningServer, running_server
from whisper_inference.settings import ServerSettings


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Whom clients believe."""
    return trustme.CA()


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> Pair:
    """A certificate of that authority."""
    written = pair(tmp_path)
    write(written, authority)
    return written


@contextmanager
def serving(files: Pair, client_authority: Path | None = None) -> Iterator[RunningServer]:
    """The demo model behind TLS."""
    settings = ServerSettings(
        model=str(EXAMPLES / "models/demo"),
        device="cpu",
        api_key=KEY,
        tls_cert_file=files.certificate,
        tls_key_file=files.key,
        tls_client_ca_file=client_authority,
    )
    with running_server(settings) as running:
        yield running


def trusting(authority: trustme.CA, own: trustme.LeafCert | None = None) -> ssl.SSLContext:
    """A client that believes an authority, and may have a certificate of its own."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if own is not None:
        own.configure_cert(context)
    return context


def get(server: RunningServer, context: ssl.SSLContext, path: str = "/v1/models") -> httpx.Response:
    """Ask over a new connection."""
    return httpx.get(f"{server.url}{path}", headers=server.headers, verify=context)


def answered(connection: socket.socket) -> bytes:
    """What kind of record came back before the end: none, or an alert (21)."""
    connection.settimeout(30)
    with suppress(ConnectionResetError):
        return connection.recv(1)
    return b""


def serial(server: RunningServer, context: ssl.SSLContext) -> str:
    """Which certificate a new connection is given."""
    address = (HOST, int(server.url.rpartition(":")[2]))
    with socket.create_connection(address) as plain, context.wrap_socket(plain, server_hostname=HOST) as wrapped:
        found = wrapped.getpeercert()
    assert found is not None
    return str(found["serialNumber"])


def test_clients_come_by_tls_and_are_told_to_stay_and_the_management_port_is_plain(
    files: Pair, authority: trustme.CA
) -> None:
    with serving(files) as server:
        answer = get(server, trusting(authority))
        assert answer.status_code == 200
        assert answer.headers["Strict-Transport-Security"]
        assert server.url.startswith("https://")
        assert server.management_url.startswith("http://")
        metrics = httpx.get(f"{server.management_url}/metrics").text
        assert httpx.get(f"{server.management_url}/ready").status_code == 200
    (line,) = [each for each in metrics.splitlines() if each.startswith("whisper_tls_certificate_expiry")]
    assert 'certificate="server"' in line
    assert float(line.split()[1]) > datetime.now(UTC).timestamp()


def test_neither_plain_http_nor_an_old_version_nor_noise_gets_an_answer_or_does_harm(
    files: Pair, authority: trustme.CA, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(files) as server:
        address = (HOST, int(server.url.rpartition(":")[2]))
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(server.url.replace("https", "http"))
        for noise in (os.urandom(4096), b"\x16\x03\x01\xff\xff" + bytes(512)):
            with socket.create_connection(address) as plain:
                plain.sendall(noise)
                plain.shutdown(socket.SHUT_WR)
                assert answered(plain) in (b"", b"\x15")
        old = trusting(authority)
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1
        with pytest.raises(httpx.ConnectError):
            get(server, old)
        assert get(server, trusting(authority)).status_code == 200
    assert [each for each in caplog.records if each.levelname in {"ERROR", "CRITICAL"}] == []


def test_a_renewed_certificate_is_used_by_new_connections_while_old_ones_go_on(
    files: Pair, authority: trustme.CA
) -> None:
    context = trusting(authority)
    with (
        serving(files) as server,
        httpx.Client(base_url=server.url, headers=server.headers, verify=context) as open_one,
    ):
        assert open_one.get("/v1/models").status_code == 200
        before = serial(server, context)
        write(files, authority)
        after = eventually(lambda: serial(server, context), lambda found: found != before)
        assert open_one.get("/v1/models").status_code == 200
        assert serial(server, context) == after


def test_only_clients_with_a_certificate_come_in_where_an_authority_is_named(
    files: Pair, authority: trustme.CA, tmp_path: Path
) -> None:
    theirs, stranger = trustme.CA(), trustme.CA()
    own = trusting(authority, theirs.issue_cert("newsroom"))
    with serving(files, write_authorities(tmp_path / "ca.crt", theirs)) as server:
        assert get(server, own).status_code == 200
        # A certificate opens the door and no more: the key is asked for all the same.
        assert httpx.get(f"{server.url}/v1/models", verify=own).status_code == 401
        for context in (trusting(authority), trusting(authority, stranger.issue_cert("newsroom"))):
            with pytest.raises(httpx.TransportError):
                get(server, context)
        assert httpx.get(f"{server.management_url}/ready").status_code == 200


def test_a_server_whose_certificate_cannot_be_used_does_not_start(files: Pair) -> None:
    files.key.unlink()
    ended = subprocess.run(
        command("--model", str(EXAMPLES / "models/demo"), "--port", "0", "--management-port", "0"),
        env=environment() | {"WHISPER_TLS_CERT_FILE": str(files.certificate), "WHISPER_TLS_KEY_FILE": str(files.key)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert f"The file {files.key}, which TLS needs, cannot be read" in ended.stderr
    assert "Traceback" not in ended.stderr
