"""Redis of the resource's own: one pod, its claim, its password and who may reach it.

One, not a quorum: what it keeps is gone after hours by itself, and the servers go on without it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from whisper_operator.api.base import size_bytes
from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.api.sessions import ManagedRedis
from whisper_operator.children.names import Manifest, child_name, metadata, owner_labels, serving_selector
from whisper_operator.children.restricted import LOCKED, pod_security, pull_secrets
from whisper_operator.defaults import Defaults
from whisper_operator.observation import Trouble

URL: Final = "url"
"""The key of the address in the Secret, whoever made it."""
REDIS_PORT: Final = 6379
_PASSWORD: Final = "password"  # noqa: S105 - a key of the Secret
_SETTINGS: Final = "redis.conf"
_CHECKSUM_ANNOTATION: Final = "whisperoperator.dev/redis-checksum"
_FOLDER: Final = "/etc/redis"
_DATA: Final = "/data"
_FOR_DATA: Final = (3, 4)
"""Of the container's memory: the rest is for rewriting the file, and for connections."""


def redis_secret_name(owner: WhisperDeployment) -> str | None:
    """Return the name of the Secret with the address; `None` where sessions stay in the pods."""
    redis = owner.spec.redis
    return None if redis is None else redis.secret_name or redis_name(owner)


def build_redis_secret(owner: WhisperDeployment, make_key: Callable[[], str]) -> Manifest:
    """Build the Secret of a managed Redis, with a new password."""
    password = make_key()
    host = f"{redis_name(owner)}.{owner.metadata.namespace}.svc"
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": metadata(owner, redis_name(owner)),
        "stringData": {
            URL: f"redis://:{password}@{host}:{REDIS_PORT}/0",
            _PASSWORD: password,
            # An argument would be read by everybody who can list processes.
            _SETTINGS: f"requirepass {password}\n",
        },
    }


def build_redis(owner: WhisperDeployment, defaults: Defaults, checksum: str) -> tuple[Manifest, ...]:
    """Build what a managed Redis needs besides its Secret, where one is asked for.

    Args:
        owner: The resource.
        defaults: The operator's own choices.
        checksum: Of the Secret: another password needs another start.
    """
    managed = managed_redis(owner)
    if managed is None:
        return ()
    policy = (_policy(owner),) if owner.spec.network.policies else ()
    return (_service(owner), *policy, _stateful_set(owner, managed, defaults, checksum))


def judge_redis(owner: WhisperDeployment, data: Mapping[str, str] | None) -> Trouble | None:
    """Say what is wrong with the data of the Secret that holds the address."""
    name = redis_secret_name(owner)
    if name is None:
        return None
    if data is None:
        message = f"The Secret {name} does not exist: create it with the key {URL}, the address of Redis."
        return Trouble("RedisSecretMissing", message)
    if not data.get(URL):
        return Trouble("RedisUrlMissing", f"The Secret {name} has no key {URL}: add it, the address of Redis.")
    return None


def managed_redis(owner: WhisperDeployment) -> ManagedRedis | None:
    """Return what is asked for, where a Redis of the resource's own is."""
    return None if owner.spec.redis is None else owner.spec.redis.managed


def redis_selector(owner: str) -> dict[str, str]:
    """Return the labels of its pod."""
    return serving_selector(owner) | {"app.kubernetes.io/component": "redis"}


def redis_name(owner: WhisperDeployment) -> str:
    """Return the name of all children that make up a managed Redis."""
    return child_name(owner.metadata.name, "redis")


def _service(owner: WhisperDeployment) -> Manifest:
    port = {"name": "redis", "port": REDIS_PORT, "targetPort": "redis", "protocol": "TCP"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(owner, redis_name(owner)),
        "spec": {"type": "ClusterIP", "selector": redis_selector(owner.metadata.name), "ports": [port]},
    }


def _policy(owner: WhisperDeployment) -> Manifest:
    name = owner.metadata.name
    servers = {"podSelector": {"matchLabels": serving_selector(name)}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(owner, redis_name(owner)),
        "spec": {
            "podSelector": {"matchLabels": redis_selector(name)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"protocol": "TCP", "port": REDIS_PORT}], "from": [servers]}],
        },
    }


def _stateful_set(owner: WhisperDeployment, managed: ManagedRedis, defaults: Defaults, checksum: str) -> Manifest:
    labels = redis_selector(owner.metadata.name)
    claim: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": managed.size}},
        "volumeMode": "Filesystem",
    }
    if managed.storage_class_name is not None:
        claim["storageClassName"] = managed.storage_class_name
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(owner, redis_name(owner)),
        "spec": {
            "replicas": 1,
            "serviceName": redis_name(owner),
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {
                    "labels": owner_labels(owner.metadata.name) | labels,
                    "annotations": {_CHECKSUM_ANNOTATION: checksum},
                },
                "spec": _pod(owner, managed, defaults),
            },
            "volumeClaimTemplates": [
                {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "metadata": {"name": "data"},
                    "spec": claim,
                }
            ],
            # The claim has no owner reference of ours: this is what deletes it.
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Retain"},
        },
    }


def _pod(owner: WhisperDeployment, managed: ManagedRedis, defaults: Defaults) -> dict[str, Any]:
    settings = {"secretName": redis_name(owner), "defaultMode": 0o440}
    spec = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
        "containers": [_container(managed, managed.image or defaults.redis_image)],
        "volumes": [{"name": "settings", "secret": settings}],
    }
    logins = pull_secrets(defaults.image_pull_secrets)
    return spec | ({"imagePullSecrets": logins} if logins else {})


def _container(managed: ManagedRedis, image: str) -> dict[str, Any]:
    part, whole = _FOR_DATA
    memory = size_bytes(managed.memory)
    options = {
        "dir": _DATA,
        "appendonly": "yes",
        "maxmemory": str(memory * part // whole),
        # A session that vanished while it counts would be worse than one that could not be opened.
        "maxmemory-policy": "noeviction",
    }
    ping = f'REDISCLI_AUTH="$(cat {_FOLDER}/{_PASSWORD})" redis-cli ping | grep -q PONG'
    return {
        "name": "redis",
        "image": image,
        "command": ["redis-server", f"{_FOLDER}/{_SETTINGS}"],
        "args": [part for name, value in options.items() for part in (f"--{name}", value)],
        "ports": [{"name": "redis", "containerPort": REDIS_PORT, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "50m", "memory": managed.memory}, "limits": {"memory": managed.memory}},
        "securityContext": LOCKED,
        "volumeMounts": [
            {"name": "data", "mountPath": _DATA},
            {"name": "settings", "mountPath": _FOLDER, "readOnly": True},
        ],
        "readinessProbe": {"exec": {"command": ["sh", "-c", ping]}, "periodSeconds": 10, "timeoutSeconds": 5},
        "livenessProbe": {"tcpSocket": {"port": "redis"}, "periodSeconds": 10, "failureThreshold": 6},
    }
