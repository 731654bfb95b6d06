"""One pool's server as a process of this machine."""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from typing import Final

import urllib3

from whisper_contract.surface import READY_PATH
from whisper_operator.children.names import Manifest
from whisper_operator.play.local_pod import LocalPod, Machine, local_pod
from whisper_operator.play.ports import free_port

_PROGRAM: Final = (sys.executable, "-m", "whisper_inference")
_PROBE_SECONDS: Final = 1.0
_STANDARD_ERROR: Final = 2
"""All that servers print goes there: this program's own output is the text that it was asked for."""


@dataclass(slots=True)
class PoolProcess:
    """A server that runs, or has ended."""

    name: str
    port: int
    management_port: int
    task: "asyncio.Task[int]"
    """Ends with the exit code."""
    ready: bool = False

    @property
    def ended(self) -> bool:
        """It does not run any more."""
        return self.task.done()


def start_pool(name: str, deployment: Manifest, machine: Machine) -> PoolProcess:
    """Start a pool's server; it goes on in the background."""
    port, management_port = free_port(), free_port()
    pod = local_pod(deployment, machine, (port, management_port))
    return PoolProcess(name, port, management_port, asyncio.create_task(_run(pod)))


async def probe(process: PoolProcess, http: urllib3.PoolManager) -> None:
    """Ask the server whether it is ready, as a kubelet does."""
    url = f"http://127.0.0.1:{process.management_port}{READY_PATH}"

    def answers() -> bool:
        try:
            return bool(http.request("GET", url, timeout=_PROBE_SECONDS, retries=False).status < 300)  # noqa: PLR2004
        except urllib3.exceptions.HTTPError:
            return False

    process.ready = not process.ended and await asyncio.to_thread(answers)


async def _run(pod: LocalPod) -> int:
    environment = os.environ | pod.environment
    for arguments in (*pod.preparations, pod.arguments):
        # Its own process group: Ctrl-C reaches this program alone, which then lets the servers drain.
        process = await asyncio.create_subprocess_exec(
            *_PROGRAM, *arguments, env=environment, start_new_session=True, stdout=_STANDARD_ERROR
        )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            process.send_signal(signal.SIGTERM)
            await process.wait()
            raise
        if code:
            return code
    return 0
