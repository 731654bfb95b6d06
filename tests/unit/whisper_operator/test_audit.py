"""What a resource says of its audit reaches the pods, and nothing secret is in a manifest."""

from pathlib import Path
from typing import Any

from tests.support.resources import CPU, DEFAULTS, START, resource
from whisper_operator.children.names import Manifest
from whisper_operator.play.local_pod import Machine, local_pod
from whisper_operator.render import render_children

SIEM = {
    "retention": "24h",
    "syslog": {"address": "siem.example.org", "caSecretName": "siem-ca"},
    "http": {"url": "https://collector.example.org/events", "tokenSecret": {"name": "collector"}},
}


def deployment(**spec: Any) -> Manifest:  # noqa: ANN401 - fields of a spec
    """The Deployment of a resource with one pool."""
    children = render_children(resource(pools=[CPU], **spec), DEFAULTS, START)
    return next(child for child in children if child["kind"] == "Deployment")


def variables(found: Manifest) -> dict[str, str]:
    """What the server is told."""
    server = found["spec"]["template"]["spec"]["containers"][0]
    return {each["name"]: each["value"] for each in server["env"] if "value" in each}


def test_a_siem_is_told_to_the_server_with_what_is_needed_of_its_secrets() -> None:
    found = deployment(audit=SIEM)
    assert (
        variables(found).items()
        >= {
            "WHISPER_AUDIT_RETENTION_SECONDS": "86400.0",
            "WHISPER_AUDIT_SYSLOG_URL": "syslog+tls://siem.example.org",
            "WHISPER_AUDIT_SYSLOG_CA_FILE": "/etc/whisper/audit-ca/ca.crt",
            "WHISPER_AUDIT_HTTP_URL": "https://collector.example.org/events",
            "WHISPER_AUDIT_HTTP_TOKEN_FILE": "/etc/whisper/audit-token/token",
        }.items()
    )
    volumes = {
        each["name"]: each["secret"] for each in found["spec"]["template"]["spec"]["volumes"] if "secret" in each
    }
    assert volumes["audit-ca"]["items"] == [{"key": "ca.crt", "path": "ca.crt"}]
    assert volumes["audit-token"] == {
        "secretName": "collector",
        "items": [{"key": "token", "path": "token"}],
        "defaultMode": 0o440,
    }
    mounts = found["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert {"name": "audit-token", "mountPath": "/etc/whisper/audit-token", "readOnly": True} in mounts


def test_without_a_siem_there_is_only_the_retention() -> None:
    told = [name for name in variables(deployment()) if "AUDIT" in name]
    assert told == ["WHISPER_AUDIT_RETENTION_SECONDS"]


def test_a_machine_without_a_cluster_has_no_siem_and_says_more_only_if_asked() -> None:
    machine = Machine(Path("/here/cache"), Path("/here/keys"), {})
    environment = local_pod(deployment(audit=SIEM), machine, (1, 2)).environment
    assert [name for name in environment if "AUDIT" in name] == ["WHISPER_AUDIT_RETENTION_SECONDS"]
    assert environment["WHISPER_LOG_LEVEL"] == "warning"
    assert local_pod(deployment(logLevel="debug"), machine, (1, 2)).environment["WHISPER_LOG_LEVEL"] == "debug"
