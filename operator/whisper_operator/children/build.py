"""All children of a resource, in the order in which they are applied; Secrets, made once, are not among them."""

from collections.abc import Mapping
from typing import NamedTuple

from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.autoscaler import build_autoscalers
from whisper_operator.children.deployment import build_deployment
from whisper_operator.children.disruption_budget import build_disruption_budgets
from whisper_operator.children.model_cache import build_model_cache
from whisper_operator.children.monitoring import build_monitoring
from whisper_operator.children.names import Manifest
from whisper_operator.children.network_policy import build_network_policies
from whisper_operator.children.redis import build_redis
from whisper_operator.children.route import build_route
from whisper_operator.children.service import build_services
from whisper_operator.children.service_account import build_service_account
from whisper_operator.defaults import Defaults
from whisper_operator.plan import Plan


class Checksums(NamedTuple):
    """What changes with the secrets that are read at a start."""

    pools: Mapping[str, str]
    """By pool; one without has no keys to start with, and gets no Deployment yet."""
    redis: str
    """Of a managed Redis."""


def build_children(
    owner: WhisperDeployment, plan: Plan, defaults: Defaults, checksums: Checksums
) -> tuple[Manifest, ...]:
    """Build them all.

    Args:
        owner: The resource.
        plan: What its pools should run.
        defaults: The operator's own choices.
        checksums: Of the secrets that are read at a start.
    """
    return (
        build_service_account(owner),
        *build_model_cache(owner),
        *build_services(owner),
        *build_network_policies(owner, defaults),
        *build_redis(owner, defaults, checksums.redis),
        *build_disruption_budgets(owner, plan),
        *(
            build_deployment(owner, planned, defaults, checksums.pools[planned.pool.name])
            for planned in plan.pools
            if planned.pool.name in checksums.pools
        ),
        *build_autoscalers(owner, plan),
        *build_route(owner),
        *build_monitoring(owner),
    )
