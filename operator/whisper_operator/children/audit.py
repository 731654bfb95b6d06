"""What the servers are told of the audit, and the Secrets for it: somebody's always."""

from typing import Any, Final

from whisper_operator.api.base import duration
from whisper_operator.api.resource import WhisperDeployment

AUTHORITY: Final = "ca.crt"
"""The key of the Secret with the certificates to trust."""
AUTHORITY_FOLDER: Final = "/etc/whisper/audit-ca"
TOKEN_FOLDER: Final = "/etc/whisper/audit-token"  # noqa: S105 - a folder, not a token


def audit_settings(owner: WhisperDeployment) -> dict[str, Any]:
    """Return the settings of `spec.audit`."""
    audit = owner.spec.audit
    settings: dict[str, Any] = {"audit_retention_seconds": duration(audit.retention).total_seconds()}
    if audit.syslog is not None:
        settings["audit_syslog_url"] = f"syslog+tls://{audit.syslog.address}"
        if audit.syslog.ca_secret_name is not None:
            settings["audit_syslog_ca_file"] = f"{AUTHORITY_FOLDER}/{AUTHORITY}"
    if audit.http is not None:
        settings["audit_http_url"] = audit.http.url
        if audit.http.token_secret is not None:
            settings["audit_http_token_file"] = f"{TOKEN_FOLDER}/{audit.http.token_secret.key}"
    return settings


def audit_volumes(owner: WhisperDeployment) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the volumes and their mounts, each with the one key that is needed of its Secret."""
    syslog, http = owner.spec.audit.syslog, owner.spec.audit.http
    wanted = []
    if syslog is not None and syslog.ca_secret_name is not None:
        wanted.append(("audit-ca", syslog.ca_secret_name, AUTHORITY, AUTHORITY_FOLDER))
    if http is not None and http.token_secret is not None:
        wanted.append(("audit-token", http.token_secret.name, http.token_secret.key, TOKEN_FOLDER))
    volumes = [
        # Items of a volume are updated as the whole is: a renewed token is read at the next batch.
        {"name": name, "secret": {"secretName": secret, "items": [{"key": key, "path": key}], "defaultMode": 0o440}}
        for name, secret, key, _ in wanted
    ]
    return volumes, [{"name": name, "mountPath": folder, "readOnly": True} for name, _, _, folder in wanted]
