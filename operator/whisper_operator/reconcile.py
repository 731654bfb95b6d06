"""One pass over one resource: read, observe, plan, build, apply, prune, status.

Every trigger runs this and nothing else.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from pydantic import ValidationError
from typing_extensions import override

from whisper_operator.api.resource import WhisperDeployment, parse, problems_of
from whisper_operator.api.status import Condition, WhisperDeploymentStatus
from whisper_operator.children.build import Checksums, build_children
from whisper_operator.children.credentials import (
    build_credentials,
    credentials_name,
    judge_credentials,
    restart_checksum,
)
from whisper_operator.children.deployment import checksum_of
from whisper_operator.children.names import Manifest
from whisper_operator.children.redis import (
    build_redis_secret,
    judge_redis,
    managed_redis,
    redis_name,
    redis_secret_name,
)
from whisper_operator.children.tls import judge_tls
from whisper_operator.cluster import Cluster
from whisper_operator.conditions import assess, refuse
from whisper_operator.defaults import Defaults
from whisper_operator.enforce import enforce
from whisper_operator.errors import AlreadyExists
from whisper_operator.events import changes
from whisper_operator.gather import Gathered, gather
from whisper_operator.kinds import DEPLOYMENT, HTTP_ROUTE, INGRESS, OWNER, SECRET, SERVICE
from whisper_operator.observation import Observed, ObservedPool, Trouble
from whisper_operator.observe import observe_pool, observe_redis
from whisper_operator.plan import plan_pools
from whisper_operator.pod_client import PodClient
from whisper_operator.watched import Watched

logger = logging.getLogger(__name__)


class OwnerKey(NamedTuple):
    """Which resource."""

    namespace: str
    name: str

    @override
    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Brings what is there to what is asked for. Remembers nothing between passes: all memory is in the cluster."""

    cluster: Cluster
    watched: Watched
    pods: PodClient
    defaults: Defaults
    clock: Callable[[], datetime]
    make_key: Callable[[], str]
    report: Callable[[OwnerKey, Sequence[Condition]], None]
    """Called at the end of each pass with the resource's conditions; with none when it is gone."""

    async def reconcile(self, key: OwnerKey) -> timedelta | None:
        """Make one pass; return when another is due because of time alone.

        Raises:
            ClusterError: The pass could not be finished; the next one begins anew.
        """
        manifest = await self.cluster.get(OWNER, key.namespace, key.name)
        if manifest is None or "deletionTimestamp" in manifest["metadata"]:
            self.report(key, ())
            return None  # owner references do the rest
        try:
            owner = parse(manifest)
        except ValidationError as problem:
            await self._refuse(manifest, problem)
            return None
        return await self._pass(owner, manifest)

    async def _pass(self, owner: WhisperDeployment, manifest: Manifest) -> timedelta | None:
        live = await gather(self.cluster, self.watched, owner)
        secrets = await self._secrets(owner, live)
        trouble = judge_credentials(owner, secrets.get(credentials_name(owner)))
        redis_trouble = judge_redis(owner, secrets.get(redis_secret_name(owner) or ""))
        pools = {
            pool.name: observe_pool(
                pool, live.deployment(owner, pool.name), live.autoscaler(owner, pool.name), live.pods
            )
            for pool in owner.spec.pools
        }
        pools = await self._ask(owner, pools, everybody=live.asked)
        now = self.clock()
        plan = plan_pools(owner.spec, pools, owner.status.pools, now)
        checksums = _checksums(owner, live, secrets, usable=trouble is None)
        wanted = build_children(owner, plan, self.defaults, checksums)
        # A pod that mounts a Secret that is not there never starts: those that run must not give way to it.
        tls_trouble = judge_tls(owner, secrets)
        held = _UNTIL_TLS if tls_trouble else (DEPLOYMENT,) if redis_trouble else ()
        outcome = await enforce(self.cluster, owner, wanted, live, held=held)
        redis_trouble = redis_trouble or observe_redis(owner, live.redis(owner))
        observed = Observed(
            pools, trouble, redis_trouble, tls_trouble, outcome.conflicts, outcome.refusals, outcome.missing
        )
        await self._publish(manifest, owner.status, assess(owner, observed, plan, now))
        return plan.look_again_after

    async def _ask(
        self, owner: WhisperDeployment, pools: dict[str, ObservedPool], *, everybody: bool
    ) -> dict[str, ObservedPool]:
        """Ask pods how busy they are: of every pool at a resync, else of pools that have other pods than before."""
        before = {pool.name: pool.ready for pool in owner.status.pools}
        asked = {name: pool for name, pool in pools.items() if everybody or before.get(name) != pool.ready}
        answers = await asyncio.gather(*(self.pods.busy(pool.addresses) for pool in asked.values()))
        return pools | {
            name: replace(pool, busy=busy) for (name, pool), busy in zip(asked.items(), answers, strict=True)
        }

    async def _secrets(self, owner: WhisperDeployment, live: Gathered) -> dict[str, dict[str, str]]:
        """Return the data of the resource's Secrets by name, making those that are asked for and not there."""
        made = []
        if owner.spec.credentials.generate and credentials_name(owner) not in live.secrets:
            made.append(await self._make(build_credentials(owner, self.make_key)))
        if managed_redis(owner) is not None and redis_name(owner) not in live.secrets:
            made.append(await self._make(build_redis_secret(owner, self.make_key)))
        found = [*live.secrets.values(), *(secret for secret in made if secret is not None)]
        return {secret["metadata"]["name"]: secret.get("data") or {} for secret in found}

    async def _make(self, secret: Manifest) -> Manifest | None:
        metadata = secret["metadata"]
        try:
            return await self.cluster.create(secret)
        except AlreadyExists:
            return await self.cluster.get(SECRET, metadata["namespace"], metadata["name"])

    async def _refuse(self, manifest: Manifest, problem: ValidationError) -> None:
        """Say that this version of the operator does not understand the resource; what runs is left as it is."""
        sentences = "; ".join(problems_of(problem))
        message = f"The operator does not understand the spec ({sentences[:900]}): correct it or upgrade the operator."
        known = parse({"metadata": manifest["metadata"], "spec": _SMALLEST, "status": _known_status(manifest)})
        await self._publish(manifest, known.status, refuse(known, Trouble("InvalidSpec", message), self.clock()))

    async def _publish(
        self, manifest: Manifest, before: WhisperDeploymentStatus, after: WhisperDeploymentStatus
    ) -> None:
        metadata = manifest["metadata"]
        self.report(OwnerKey(metadata["namespace"], metadata["name"]), after.conditions)
        if before == after:
            return
        status = dict.fromkeys(after.model_dump(by_alias=True)) | after.model_dump(
            mode="json", by_alias=True, exclude_none=True
        )
        await self.cluster.write_status(OWNER, metadata["namespace"], metadata["name"], status)
        for event in changes(before, after):
            level = logging.WARNING if event.kind == "Warning" else logging.INFO
            logger.log(level, "%s: %s", event.reason, event.message)
            await self.cluster.record_event(manifest, event.kind, event.reason, event.message)


_UNTIL_TLS: Final = (DEPLOYMENT, SERVICE, INGRESS, HTTP_ROUTE)
"""What is left as it is until the certificate is there: a way to a port that pods do not have yet would be none."""

_SMALLEST: Final = {"model": {"name": "unknown", "source": {"path": "/unknown"}}}
"""A spec in the place of one that cannot be read: only the status is looked at."""


def _known_status(manifest: Manifest) -> dict[str, Any]:
    try:
        WhisperDeploymentStatus.model_validate(manifest.get("status", {}))
    except ValidationError:
        return {}
    return dict(manifest.get("status", {}))


def _checksums(
    owner: WhisperDeployment, live: Gathered, secrets: Mapping[str, Mapping[str, str]], *, usable: bool
) -> Checksums:
    """Return the checksums of the secrets; with keys that cannot be used, pods that run keep theirs."""
    redis = secrets.get(redis_secret_name(owner) or "", {})
    if usable:
        current = restart_checksum(secrets[credentials_name(owner)], redis)
        return Checksums({pool.name: current for pool in owner.spec.pools}, restart_checksum({}, redis))
    running = {pool.name: live.deployment(owner, pool.name) for pool in owner.spec.pools}
    kept = {name: checksum_of(deployment) for name, deployment in running.items() if deployment is not None}
    return Checksums(kept, restart_checksum({}, redis))
