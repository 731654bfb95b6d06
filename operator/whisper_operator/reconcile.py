"""One pass over one resource: read, observe, plan, build, apply, prune, status.

Every trigger runs this and nothing else.
"""

from collections.abc import Callable, Sequence
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
from whisper_operator.observation import Observed, Trouble
from whisper_operator.observe import observe_pool
from whisper_operator.plan import plan_pools
from whisper_operator.watched import Watched


class OwnerKey(NamedTuple):
    """Which resource."""

    namespace: str
    name: str


class Reconciler:
    """Brings what is there to what is asked for. Remembers nothing between passes: all memory is in the cluster."""

    def __init__(
        self,
        cluster: Cluster,
        watched: Watched,
        defaults: Defaults,
        clock: Callable[[], datetime],
        make_key: Callable[[], str],
        report: Callable[[OwnerKey, Sequence[Condition]], None],
    ) -> None:
        """Take what a pass needs.

        Args:
            cluster: Where it reads and writes.
            watched: What is known without asking.
            defaults: The operator's own choices.
            clock: The time.
            make_key: Makes a new API key.
            report: Called at the end of each pass with the resource's conditions; with none when it is gone.
        """
        self._cluster = cluster
        self._watched = watched
        self._defaults = defaults
        self._clock = clock
        self._make_key = make_key
        self._report = report

    async def reconcile(self, key: OwnerKey) -> timedelta | None:
        """Make one pass; return when another is due because of time alone.

        Raises:
            ClusterError: The pass could not be finished; the next one begins anew.
        """
        manifest = await self._cluster.get(OWNER, key.namespace, key.name)
        if manifest is None or "deletionTimestamp" in manifest["metadata"]:
            self._report(key, ())
            return None  # owner references do the rest
        try:
            owner = parse(manifest)
        except ValidationError as problem:
            await self._refuse(manifest, problem)
            return None
        return await self._pass(owner, manifest)

    async def _pass(self, owner: WhisperDeployment, manifest: Manifest) -> timedelta | None:
        live = await gather(self._cluster, self._watched, owner)
        data = await self._keys(owner, live)
        trouble = judge_credentials(owner, data)
        pools = {
            pool.name: observe_pool(
                pool, live.deployment(owner, pool.name), live.autoscaler(owner, pool.name), live.pods
            )
            for pool in owner.spec.pools
        }
        now = self._clock()
        plan = plan_pools(owner.spec, pools, owner.status.pools, now)
        checksums = _checksums(owner, live, None if trouble else credentials_checksum(data or {}))
        wanted = build_children(owner, plan, self._defaults, checksums)
        outcome = await enforce(self._cluster, owner, wanted, live)
        observed = Observed(pools, trouble, outcome.conflicts, outcome.refusals, outcome.missing)
        await self._publish(manifest, owner.status, assess(owner, observed, plan, now))
        return plan.look_again_after

    async def _keys(self, owner: WhisperDeployment, live: Gathered) -> dict[str, str] | None:
        """Return the Secret's data, making the Secret if that is asked for."""
        secret = live.secret
        if secret is None and owner.spec.credentials.generate:
            try:
                secret = await self._cluster.create(build_credentials(owner, self._make_key))
            except AlreadyExists:
                secret = await self._cluster.get(SECRET, owner.metadata.namespace, credentials_name(owner))
        return None if secret is None else secret.get("data") or {}

    async def _refuse(self, manifest: Manifest, problem: ValidationError) -> None:
        """Say that this version of the operator does not understand the resource; what runs is left as it is."""
        sentences = "; ".join(problems_of(problem))
        message = f"The operator does not understand the spec ({sentences[:900]}): correct it or upgrade the operator."
        known = parse({"metadata": manifest["metadata"], "spec": _SMALLEST, "status": _known_status(manifest)})
        await self._publish(manifest, known.status, refuse(known, Trouble("InvalidSpec", message), self._clock()))

    async def _publish(
        self, manifest: Manifest, before: WhisperDeploymentStatus, after: WhisperDeploymentStatus
    ) -> None:
        metadata = manifest["metadata"]
        self._report(OwnerKey(metadata["namespace"], metadata["name"]), after.conditions)
        if before == after:
            return
        status = dict.fromkeys(after.model_dump(by_alias=True)) | after.model_dump(
            mode="json", by_alias=True, exclude_none=True
        )
        await self._cluster.write_status(OWNER, metadata["namespace"], metadata["name"], status)
        for event in changes(before, after):
            await self._cluster.record_event(manifest, event.kind, event.reason, event.message)


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
