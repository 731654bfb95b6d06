"""Authorities and certificates for loopback, and the files in which they are mounted."""

from dataclasses import dataclass
from pathlib import Path

import trustme

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Pair:
    """The files of a server."""

    certificate: Path
    key: Path


def pair(folder: Path) -> Pair:
    """Name the files in a folder as a Secret of the type kubernetes.io/tls does."""
    return Pair(folder / "tls.crt", folder / "tls.key")


def write(files: Pair, authority: trustme.CA, *names: str) -> trustme.LeafCert:
    """Issue a certificate for loopback, and write it and its key."""
    issued = authority.issue_cert(HOST, *names)
    files.certificate.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    files.key.write_bytes(issued.private_key_pem.bytes())
    return issued


def write_authorities(file: Path, *authorities: trustme.CA) -> Path:
    """Write the certificates of authorities into one file."""
    file.write_bytes(b"".join(each.cert_pem.bytes() for each in authorities))
    return file
