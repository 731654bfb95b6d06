"""Which Secrets a resource uses, whoever made them."""

from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.credentials import credentials_name
from whisper_operator.children.redis import redis_secret_name
from whisper_operator.children.tls import tls_secret_names


def secret_names(owner: WhisperDeployment) -> tuple[str, ...]:
    """Return the names of the Secrets that the operator reads for a resource."""
    redis = redis_secret_name(owner)
    kept = (credentials_name(owner),) if redis is None else (credentials_name(owner), redis)
    return (*kept, *tls_secret_names(owner))
