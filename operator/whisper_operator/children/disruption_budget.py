"""Budgets that let a node be drained one pod of a pool at a time."""

from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.names import Manifest, metadata, pool_name, pool_selector
from whisper_operator.plan import Plan


def build_disruption_budgets(owner: WhisperDeployment, plan: Plan) -> tuple[Manifest, ...]:
    """Build one for each pool with several pods; a single pod's would block the drain of its node for ever."""
    return tuple(_budget(owner, planned.pool.name) for planned in plan.pools if planned.replicas > 1)


def _budget(owner: WhisperDeployment, pool: str) -> Manifest:
    name = owner.metadata.name
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(owner, pool_name(name, pool)),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": pool_selector(name, pool)},
            # A pod that is not ready protects nobody: it may always go.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
