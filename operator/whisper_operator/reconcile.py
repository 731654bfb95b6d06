"""One pass over one resource: read, observe, plan, build, apply, prune, status.

Every trigger runs this and nothing else.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pydantic import ValidationError

from whisper_operator.api.resource import WhisperDeployment, parse, problems_of
from whisper_operator.api.status import Condition, WhisperDeploymentStatus
from whisper_operator.children.build import build_children
from whisper_operator.children.credentials import (
    build_credentials,
    credentials_checksum,
    credentials_name,
    judge_credentials,
)
from whisper_operator.children.deployment import checksum_of
from whisper_operator.children.names import Manifest
from whisper_operator.cluster import Cluster
from whisper_operator.conditions import assess, refuse
from whisper_operator.defaults import Defaults
from whisper_operator.enforce import enforce
from whisper_operator.errors import AlreadyExists
from whisper_operator.events import changes
from whisper_operator.gather import Gathered, gather
from whisper_operator.kinds import OWNER, SECRET
from whisper_operator.observation import Observed, ObservedPool, Trouble
from whisper_operator.observe import observe_pool
from whisper_operator.plan import plan_pools
from whisper_operator.pod_client import PodClient
from whisper_operator.watched import Watched


class OwnerKey(NamedTuple):
    """Which resource."""

    namespace: str
    name: str


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
        data = await self._keys(owner, live)
        trouble = judge_credentials(owner, data)
        pools = {
            pool.name: observe_pool(
                pool, live.deployment(owner, pool.name), live.autoscaler(owner, pool.name), live.pods
            )
            for pool in owner.spec.pools
        }
        pools = await self._ask(owner, pools, everybody=live.asked)
        now = self.clock()
        plan = plan_pools(owner.spec, pools, owner.status.pools, now)
        checksums = _checksums(owner, live, None if trouble else credentials_checksum(data or {}))
        wanted = build_children(owner, plan, self.defaults, checksums)
        outcome = await enforce(self.cluster, owner, wanted, live)
        observed = Observed(pools, trouble, outcome.conflicts, outcome.refusals, outcome.missing)
        await self._publish(manifest, owner.status, assess(owner, observed, plan, now))
        return plan.look_again_after

    async def _ask(
        self, owner: WhisperDeployment, pools: dict[str, ObservedPool], *, everybody: bool
    ) -> dict[str, ObservedPool]:
        """Ask pods how busy they are: of every pool at a resync, else of pools that have other pods than before."""
        before = {pool.name: pool.ready for pool in owner.status.pools}
        asked = {name: pool for name, pool in pools.items() if everybody or before.get(name) != pool.ready}
        answers = await asyncio.gather(*(self.pods.slots(pool.addresses) for pool in asked.values()))
        return pools | {
            name: replace(pool, slots=slots) for (name, pool), slots in zip(asked.items(), answers, strict=True)
        }

    async def _keys(self, owner: WhisperDeployment, live: Gathered) -> dict[str, str] | None:
        """Return the Secret's data, making the Secret if that is asked for."""
        secret = live.secret
        if secret is None and owner.spec.credentials.generate:
            try:
                secret = await self.cluster.create(build_credentials(owner, self.make_key))
            except AlreadyExists:
                secret = await self.cluster.get(SECRET, owner.metadata.namespace, credentials_name(owner))
        return None if secret is None else secret.get("data") or {}

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
            await self.cluster.record_event(manifest, event.kind, event.reason, event.message)


_SMALLEST = {"model": {"name": "unknown", "source": {"path": "/unknown"}}}
"""A spec in the place of one that cannot be read: only the status is looked at."""


def _known_status(manifest: Manifest) -> dict[str, Any]:
    try:
        WhisperDeploymentStatus.model_validate(manifest.get("status", {}))
    except ValidationError:
        return {}
    return dict(manifest.get("status", {}))


def _checksums(owner: WhisperDeployment, live: Gathered, current: str | None) -> dict[str, str]:
    """Return each pool's checksum of the keys; with keys that cannot be used, pods that run keep theirs."""
    if current is not None:
        return {pool.name: current for pool in owner.spec.pools}
    running = {pool.name: live.deployment(owner, pool.name) for pool in owner.spec.pools}
    return {name: checksum_of(deployment) for name, deployment in running.items() if deployment is not None}
