"""The pods' ServiceAccount: it may do nothing, and its token is mounted nowhere."""

from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.names import Manifest, child_name, metadata


def service_account_name(owner: str) -> str:
    """Return its name."""
    return child_name(owner, "server")


def build_service_account(owner: WhisperDeployment) -> Manifest:
    """Build it."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(owner, service_account_name(owner.metadata.name)),
        "automountServiceAccountToken": False,
    }
