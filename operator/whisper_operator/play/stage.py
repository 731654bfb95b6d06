"""Playing one manifest: the plan decides which pools run here, as it does in a cluster."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

import urllib3

from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.api.status import WhisperDeploymentStatus
from whisper_operator.children.names import Manifest, pool_name
from whisper_operator.conditions import assess
from whisper_operator.defaults import Defaults
from whisper_operator.observation import Observed, ObservedPool, Trouble
from whisper_operator.plan import Plan, plan_pools
from whisper_operator.play.local_pod import Machine
from whisper_operator.play.process import PoolProcess, probe, start_pool
from whisper_operator.render import render_children

_LOOK_SECONDS: Final = 0.25


class Stage:
    """The pools of one resource on this machine: one process for each pool that the plan would run."""

    def __init__(
        self, owner: WhisperDeployment, machine: Machine, clock: Callable[[], datetime], say: Callable[[str], None]
    ) -> None:
        self._owner = owner
        self._machine = machine
        self._clock = clock
        self._say = say
        self._processes: dict[str, PoolProcess] = {}
        self._status = WhisperDeploymentStatus()
        self._http = urllib3.PoolManager()
        defaults = Defaults("whisper-inference", "whisper-inference", ())
        children = render_children(owner, defaults, clock())
        self._deployments: dict[str, Manifest] = {
            pool.name: next(child for child in children if _is_deployment(child, owner, pool.name))
            for pool in owner.spec.pools
        }

    @property
    def port(self) -> int | None:
        """The server of the first pool that is ready."""
        order = (self._processes.get(pool.name) for pool in self._owner.spec.pools)
        return next((process.port for process in order if process is not None and process.ready), None)

    @property
    def hopeless(self) -> str | None:
        """Why no pool can serve: every server that was started has ended, and no other will be."""
        ended = [process for process in self._processes.values() if process.ended]
        waiting = any(pool.standby for pool in self._owner.spec.pools) and not self._owner.spec.fallback.strict
        if not ended or len(ended) < len(self._processes) or (waiting and len(ended) < len(self._owner.spec.pools)):
            return None
        return f"No pool can serve here: {', '.join(process.name for process in ended)} ended."

    async def run(self) -> None:
        """Keep the pools as the plan says until cancelled; then let them drain."""
        try:
            while True:
                await asyncio.gather(*(probe(process, self._http) for process in self._processes.values()))
                self._follow(self._plan())
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            await self._end(list(self._processes))

    def _plan(self) -> Plan:
        wanted = self._owner.spec.model_copy(update={"replicas": 1})
        single = tuple(pool.model_copy(update={"replicas": None}) for pool in wanted.pools)
        spec = wanted.model_copy(update={"pools": single})
        observed = {name: self._observe(process) for name, process in self._processes.items()}
        now = self._clock()
        plan = plan_pools(spec, observed, self._status.pools, now)
        owner = self._owner.model_copy(update={"spec": spec, "status": self._status})
        status = assess(owner, Observed(observed), plan, now)
        if status.pools_summary != self._status.pools_summary:
            self._say(f"{status.pools_summary}")
        self._status = status
        return plan

    def _observe(self, process: PoolProcess) -> ObservedPool:
        if not process.ended:
            return ObservedPool(int(process.ready))
        return ObservedPool(0, trouble=Trouble("CrashLooping", "Its server ended: see its last line above."))

    def _follow(self, plan: Plan) -> None:
        for planned in plan.pools:
            name = planned.pool.name
            if planned.replicas and name not in self._processes:
                self._processes[name] = start_pool(name, self._deployments[name], self._machine)
            elif not planned.replicas and name in self._processes:
                self._processes.pop(name).task.cancel()

    async def _end(self, names: list[str]) -> None:
        tasks = [self._processes[name].task for name in names]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _is_deployment(child: Manifest, owner: WhisperDeployment, pool: str) -> bool:
    return (child["kind"], child["metadata"]["name"]) == ("Deployment", pool_name(owner.metadata.name, pool))
