"""The claim that pods share for downloads and compiled models."""

from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.names import Manifest, child_name, metadata


def cache_claim_name(owner: str) -> str:
    """Return its name."""
    return child_name(owner, "model-cache")


def build_model_cache(owner: WhisperDeployment) -> tuple[Manifest, ...]:
    """Build the claim, where one is asked for."""
    cache = owner.spec.model.cache
    if cache is None:
        return ()
    spec = {"accessModes": [cache.access_mode], "resources": {"requests": {"storage": cache.size}}}
    if cache.storage_class_name is not None:
        spec["storageClassName"] = cache.storage_class_name
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(owner, cache_claim_name(owner.metadata.name)),
        "spec": spec,
    }
    return (claim,)
