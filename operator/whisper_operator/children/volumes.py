"""What a pod's containers find on disk: the model, its caches, the keys; everything else is read-only."""

from typing import Any, Final

from whisper_operator.api.model import Model
from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.audit import audit_volumes
from whisper_operator.children.credentials import credentials_name
from whisper_operator.children.model_cache import cache_claim_name
from whisper_operator.children.redis import URL, redis_secret_name
from whisper_operator.children.tls import tls_volumes

CACHE_FOLDER: Final = "/cache"
MODEL_FOLDER: Final = "/model"
CREDENTIALS_FOLDER: Final = "/etc/whisper/credentials"
REDIS_FOLDER: Final = "/etc/whisper/redis"
HUB_TOKEN_FOLDER: Final = "/etc/whisper/hub"  # noqa: S105 - a folder, not a token


def model_location(model: Model) -> str:
    """Return what the server is told to load: a name at the hub, or a path."""
    source = model.source
    if source.path is not None:
        return source.path
    mounted = source.persistent_volume_claim or source.image
    if mounted is None:
        return model.name
    return f"{MODEL_FOLDER}/{mounted.path}" if mounted.path else MODEL_FOLDER


CA_FOLDER: Final = "/etc/whisper/ca"
CA_FILE: Final = f"{CA_FOLDER}/ca.crt"
_CA_MOUNT: Final = {"name": "ca", "mountPath": CA_FOLDER, "readOnly": True}


def trust(config_map: str | None) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the volume, and its mount, with the certificates that the pods trust, where they are given."""
    return ([], []) if config_map is None else ([{"name": "ca", "configMap": {"name": config_map}}], [_CA_MOUNT])


def server_volumes(owner: WhisperDeployment) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the pod's volumes and the server's mounts.

    Secrets are mounted as whole volumes: a mount of a single file (`subPath`) would never be updated.
    """
    volumes = [
        _cache(owner),
        {"name": "scratch", "emptyDir": {}},
        {"name": "credentials", "secret": {"secretName": credentials_name(owner), "defaultMode": 0o440}},
    ]
    mounts: list[dict[str, Any]] = [
        *writable_mounts(),
        {"name": "credentials", "mountPath": CREDENTIALS_FOLDER, "readOnly": True},
    ]
    redis = redis_secret_name(owner)
    if redis is not None:
        # The address alone: the settings of a managed one are its own.
        items = [{"key": URL, "path": URL}]
        volumes.append({"name": "redis", "secret": {"secretName": redis, "items": items, "defaultMode": 0o440}})
        mounts.append({"name": "redis", "mountPath": REDIS_FOLDER, "readOnly": True})
    for more_volumes, more_mounts in (tls_volumes(owner), audit_volumes(owner)):
        volumes += more_volumes
        mounts += more_mounts
    model = _mounted_model(owner.spec.model)
    if model is not None:
        volumes.append(model)
        mounts.append({"name": "model", "mountPath": MODEL_FOLDER, "readOnly": True})
    return volumes, mounts


def writable_mounts() -> list[dict[str, Any]]:
    """Return the mounts of all that a container may write to."""
    return [
        {"name": "cache", "mountPath": CACHE_FOLDER},
        {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
    ]


def _cache(owner: WhisperDeployment) -> dict[str, Any]:
    if owner.spec.model.cache is None:
        return {"name": "cache", "emptyDir": {}}
    return {"name": "cache", "persistentVolumeClaim": {"claimName": cache_claim_name(owner.metadata.name)}}


def _mounted_model(model: Model) -> dict[str, Any] | None:
    claim, image = model.source.persistent_volume_claim, model.source.image
    if claim is not None:
        return {"name": "model", "persistentVolumeClaim": {"claimName": claim.claim_name, "readOnly": True}}
    if image is not None:
        return {"name": "model", "image": {"reference": image.reference, "pullPolicy": image.pull_policy}}
    return None
