"""TLS of the public port: the certificate that is given, and the next one, which takes its place without a restart.

TLS 1.3, and 1.2 with what 1.3 still has of it: forward secrecy and authenticated encryption alone, as Mozilla's
intermediate profile without its finite-field groups (https://wiki.mozilla.org/Security/Server_Side_TLS).
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.x509 import load_pem_x509_certificates

from whisper_contract.runtime import ENVIRONMENT_PREFIX, RuntimeConfig
from whisper_inference.errors import InvalidSettings
from whisper_inference.security.following import INTERVAL_SECONDS, follow_files

logger = logging.getLogger(__name__)

_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2; those of 1.3 are OpenSSL's."""
_SPOKEN: Final = ("http/1.1",)
"""RFC 7301; there is no HTTP/2 here."""


class Period(NamedTuple):
    """When a certificate is valid."""

    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Tls:
    """What a connection begins with."""

    context: ssl.SSLContext
    periods: Mapping[str, Period]
    """By what the certificate is for."""


class ServerTls:
    """Gives each new connection what was read last; those that are open keep theirs.

    A context is never changed: one whose new key fails to load has lost its old one, and it forgets no authority.

    Args:
        first: To begin with.
        clock: The time, with its zone.
        publish: Called with each certificate's period whenever they were read.
    """

    def __init__(
        self, first: Tls, clock: Callable[[], datetime], publish: Callable[[str, datetime, datetime], None]
    ) -> None:
        self.context = first.context
        """To listen with."""
        self._clock, self._publish = clock, publish
        self.use(first)
        # OpenSSL asks this of each connection, also of those that name no server.
        self.context.sni_callback = self._choose

    def use(self, tls: Tls) -> None:
        """Let new connections begin with this."""
        self._current = tls.context
        for name, (begins, ends) in tls.periods.items():
            self._publish(name, begins, ends)
            if not begins <= self._clock() <= ends:
                logger.warning("The %s certificate is valid from %s to %s, which is not now", name, begins, ends)

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._current


def read_tls(settings: RuntimeConfig) -> Tls | None:
    """Read the certificate, its key, and the authority of clients; `None` where no certificate is given.

    Raises:
        InvalidSettings: A file is missing, or is not what it should be.
    """
    certificate, key, authority = settings.tls_cert_file, settings.tls_key_file, settings.tls_client_ca_file
    if certificate is None and key is None and authority is None:
        return None
    if certificate is None or key is None:
        raise InvalidSettings(
            f"TLS needs a certificate and its key: set both {ENVIRONMENT_PREFIX}TLS_CERT_FILE and "
            f"{ENVIRONMENT_PREFIX}TLS_KEY_FILE."
        )
    chain = _certificates(certificate)
    periods = {"server": Period(max(each.begins for each in chain), min(each.ends for each in chain))}
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(_SPOKEN)
    _load_pair(context, certificate, key)
    if authority is not None:
        # While one authority follows another the file holds both, and lasts as long as the last of them.
        periods["client_ca"] = max(_certificates(authority), key=lambda each: each.ends)
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED
        # A client that resumes is not asked for its certificate: who is out must not come back by a ticket.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    return Tls(context, periods)


async def follow_tls(
    settings: RuntimeConfig, use: Callable[[Tls], None], interval_seconds: float = INTERVAL_SECONDS
) -> None:
    """Read everything again whenever a file has changed, until cancelled; what cannot be used changes nothing."""

    async def read_again() -> None:
        try:
            tls = await asyncio.to_thread(read_tls, settings)
        except InvalidSettings as problem:
            logger.warning("The TLS certificate is kept as it was: %s", problem)
            return
        if tls is not None:
            use(tls)
            logger.info("The TLS certificate was read again; it is valid until %s", tls.periods["server"].ends)

    files = (settings.tls_cert_file, settings.tls_key_file, settings.tls_client_ca_file)
    await follow_files([file for file in files if file is not None], read_again, interval_seconds)


def _load_pair(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    _read(key)
    try:
        # Without a password OpenSSL would ask for one at the terminal.
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as problem:
        if problem.reason == "KEY_VALUES_MISMATCH":
            raise InvalidSettings(f"The key in {key} is not that of the certificate in {certificate}.") from problem
        raise InvalidSettings(
            f"{certificate} and {key} are no certificate and key: write the chain, its server's own first, and the "
            "private key, as PEM and without a password."
        ) from problem


def _certificates(file: Path) -> list[Period]:
    try:
        found = load_pem_x509_certificates(_read(file))
    except ValueError as problem:
        raise InvalidSettings(
            f"{file} holds no certificate: write it as PEM (-----BEGIN CERTIFICATE-----)."
        ) from problem
    return [Period(each.not_valid_before_utc, each.not_valid_after_utc) for each in found]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as problem:
        raise InvalidSettings(f"The file {file}, which TLS needs, cannot be read: {problem.strerror}.") from problem
