"""The Secrets of TLS, somebody's always: where the pods find them, and what is wrong with them."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.observation import Trouble

CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"
CLIENT_CA: Final = "ca.crt"
"""Keys of the Secrets, as the type kubernetes.io/tls and cert-manager have them."""
TLS_FOLDER: Final = "/etc/whisper/tls"
CLIENT_CA_FOLDER: Final = "/etc/whisper/client-ca"
_KINDS: Final = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")
"""Of keys; one with a password begins otherwise, and nobody is there to type it."""


def tls_secret_names(owner: WhisperDeployment) -> tuple[str, ...]:
    """Return the names of the Secrets that TLS needs."""
    tls = owner.spec.tls
    names = () if tls is None else (tls.secret_name, tls.client_ca_secret_name)
    return tuple(dict.fromkeys(name for name in names if name is not None))


def tls_settings(owner: WhisperDeployment) -> dict[str, str]:
    """Return what the server is told."""
    tls = owner.spec.tls
    if tls is None:
        return {}
    pair = {"tls_cert_file": f"{TLS_FOLDER}/{CERTIFICATE}", "tls_key_file": f"{TLS_FOLDER}/{KEY}"}
    return (
        pair if tls.client_ca_secret_name is None else pair | {"tls_client_ca_file": f"{CLIENT_CA_FOLDER}/{CLIENT_CA}"}
    )


def tls_volumes(owner: WhisperDeployment) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the volumes and their mounts; of the authority's Secret the certificate alone, for it may hold its key."""
    tls = owner.spec.tls
    if tls is None:
        return [], []
    volumes, mounts = [_volume("tls", tls.secret_name, CERTIFICATE, KEY)], [_mount("tls", TLS_FOLDER)]
    if tls.client_ca_secret_name is not None:
        volumes.append(_volume("client-ca", tls.client_ca_secret_name, CLIENT_CA))
        mounts.append(_mount("client-ca", CLIENT_CA_FOLDER))
    return volumes, mounts


def judge_tls(owner: WhisperDeployment, secrets: Mapping[str, Mapping[str, str]]) -> Trouble | None:
    """Say what is wrong with the Secrets, of which the data (base64) is given by name."""
    tls = owner.spec.tls
    if tls is None:
        return None
    needed = [(tls.secret_name, CERTIFICATE), (tls.secret_name, KEY)]
    if tls.client_ca_secret_name is not None:
        needed.append((tls.client_ca_secret_name, CLIENT_CA))
    troubles = (_judge(name, key, secrets.get(name)) for name, key in needed)
    return next((trouble for trouble in troubles if trouble is not None), None)


def _judge(name: str, key: str, data: Mapping[str, str] | None) -> Trouble | None:
    if data is None:
        return Trouble("TlsSecretMissing", f"The Secret {name}, which spec.tls names, does not exist: create it.")
    if not data.get(key):
        return Trouble("TlsKeyMissing", f"The Secret {name} has no key {key}: add it.")
    beginnings = [f"-----BEGIN {kind}-----" for kind in (_KINDS if key == KEY else ("CERTIFICATE",))]
    if not any(beginning.encode() in _decoded(data[key]) for beginning in beginnings):
        kind = "private key without a password" if key == KEY else "certificate"
        return Trouble("TlsUnreadable", f"{key} in the Secret {name} holds no {kind}: write it as PEM.")
    return None


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        return b""


def _volume(name: str, secret: str, *keys: str) -> dict[str, Any]:
    # Items of a volume are updated as the whole is; a mount of a single file (`subPath`) would not be.
    items = [{"key": key, "path": key} for key in keys]
    return {"name": name, "secret": {"secretName": secret, "items": items, "defaultMode": 0o440}}


def _mount(name: str, folder: str) -> dict[str, Any]:
    return {"name": name, "mountPath": folder, "readOnly": True}
