"""What the servers are told of jobs."""

from types import MappingProxyType
from typing import Any, Final

from whisper_operator.api.base import duration, size_bytes
from whisper_operator.api.spec import WhisperDeploymentSpec
from whisper_operator.children.volumes import CREDENTIALS_FOLDER

WEBHOOK_SECRET: Final = "WEBHOOK_SECRET"  # noqa: S105 - a key of the Secret
"""The key of the credentials' Secret, if somebody put it there; else what signs webhooks follows from SECRET_KEY."""
_HTTPS_PORT: Final = 443
_HTTP_PORT: Final = 80
_PUBLIC: Final = MappingProxyType(
    {
        "0.0.0.0/0": (
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.168.0.0/16",
        ),
        "::/0": ("::1/128", "fc00::/7", "fe80::/10"),
    }
)
"""Everything, and what of it is inside; the servers check more, and the cluster need not believe them."""
_OWN_REDIS_BYTES: Final = 2**30
_NO_REDIS_BYTES: Final = 2**28


def job_settings(spec: WhisperDeploymentSpec) -> dict[str, Any]:
    """Return the settings of `spec.jobs`."""
    jobs = spec.jobs
    settings: dict[str, Any] = {
        "max_job_audio_seconds": duration(jobs.max_audio_duration).total_seconds(),
        "max_job_upload_bytes": size_bytes(jobs.max_upload_size),
        "job_store_bytes": size_bytes(jobs.store_size) if jobs.store_size is not None else _store_bytes(spec),
        "job_retention_seconds": duration(jobs.retention).total_seconds(),
        "max_jobs_per_owner": jobs.max_per_owner,
        "job_workers": jobs.at_once,
    }
    hooks = jobs.webhooks
    if hooks.destinations:
        settings |= {
            "webhook_destinations": hooks.destinations,
            "webhook_networks": hooks.networks,
            "webhook_plain_http": hooks.plain_http,
            "webhook_secret_file": f"{CREDENTIALS_FOLDER}/{WEBHOOK_SECRET}",
        }
    return settings


def webhook_egress(spec: WhisperDeploymentSpec) -> list[dict[str, Any]]:
    """Allow what webhooks need: public addresses on the ports of their hosts, and the networks that are named."""
    hooks = spec.jobs.webhooks
    if not hooks.destinations:
        return []
    named = {int(port) for _, colon, port in (host.partition(":") for host in hooks.destinations) if colon}
    usual = {_HTTPS_PORT, _HTTP_PORT} if hooks.plain_http else {_HTTPS_PORT}
    ports = [{"protocol": "TCP", "port": port} for port in sorted(named | usual)]
    public = [{"ipBlock": {"cidr": cidr, "except": list(private)}} for cidr, private in _PUBLIC.items()]
    return [{"ports": ports, "to": [*public, *({"ipBlock": {"cidr": cidr}} for cidr in hooks.networks)]}]


def _store_bytes(spec: WhisperDeploymentSpec) -> int:
    """A managed Redis writes nothing more at three quarters of its memory, and keeps sessions, too."""
    if spec.redis is None:
        return _NO_REDIS_BYTES
    return _OWN_REDIS_BYTES if spec.redis.managed is None else size_bytes(spec.redis.managed.memory) // 2
