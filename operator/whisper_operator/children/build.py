"""All children of a resource, in the order in which they are applied."""

from collections.abc import Mapping

from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.autoscaler import build_autoscalers
from whisper_operator.children.deployment import build_deployment
from whisper_operator.children.disruption_budget import build_disruption_budgets
from whisper_operator.children.model_cache import build_model_cache
from whisper_operator.children.monitoring import build_monitoring
from whisper_operator.children.names import Manifest
from whisper_operator.children.network_policy import build_network_policies
from whisper_operator.children.route import build_route
from whisper_operator.children.service import build_services
from whisper_operator.children.service_account import build_service_account
from whisper_operator.defaults import Defaults
from whisper_operator.plan import Plan


def build_children(
    owner: WhisperDeployment, plan: Plan, defaults: Defaults, checksums: Mapping[str, str]
) -> tuple[Manifest, ...]:
    """Build every child but the Secret, which is made once and never written again.

    Args:
        owner: The resource.
        plan: What its pools should run.
        defaults: The operator's own choices.
        checksums: Of the keys, by pool; a pool without one has no keys to start with, and gets no Deployment yet.
    """
    return (
        build_service_account(owner),
        *build_model_cache(owner),
        *build_services(owner),
        *build_network_policies(owner, defaults),
        *build_disruption_budgets(owner, plan),
        *(
            build_deployment(owner, planned, defaults, checksums[planned.pool.name])
            for planned in plan.pools
            if planned.pool.name in checksums
        ),
        *build_autoscalers(owner, plan),
        *build_route(owner),
        *build_monitoring(owner),
    )
