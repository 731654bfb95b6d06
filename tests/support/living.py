"""A resource that lives: it is changed, asked without pause, and its pods are killed."""

import json
import os
import secrets
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from tests.support.patience import eventually
from tests.support.samples import samples
from tests.support.site import SMALL, Site, resource
from whisper_contract.surface import MANAGEMENT_PORT, METRICS_PATH

PATIENCE_SECONDS: Final = 400
"""How long pods may take to start and to leave, on a machine that does other things, too."""
_CLIP: Final = "unseen_5.wav"
"""What those who ask without pause send: a short one."""


class LivingResource:
    """A resource with the demo model and a Redis of its own.

    Args:
        site: The cluster.
        name: Of the resource.
    """

    def __init__(self, site: Site, name: str) -> None:
        self.site, self.name = site, name
        self.url = f"http://{name}.{site.namespace}.svc"

    def create(self, replicas: int) -> None:
        """Make it, and wait until it serves."""
        self.site.apply(resource(self.name, replicas=replicas, pools=[pool()], redis=self.site.small_redis()))
        self.settle(replicas)
        self.site.shell(f"kubectl wait --for=condition=RedisReady --timeout=3m wd/{self.name}")

    def scale(self, replicas: int) -> None:
        """Change how many pods it has, and wait until they serve."""
        self.site.shell(f"kubectl scale wd/{self.name} --replicas={replicas}")
        self.settle(replicas)

    def roll(self, **spec: Any) -> None:  # noqa: ANN401 - fields of a spec
        """Change what replaces all pods, and wait until the new ones serve."""
        before = self.uids()
        self.site.shell(f"kubectl patch wd {self.name} --type=merge -p '{json.dumps({'spec': spec})}'")
        self.settle_anew(before)

    def settle_anew(self, before: set[str]) -> None:
        """Wait until as many pods serve as before, and none of those."""
        eventually(lambda: not self.uids() & before, seconds=PATIENCE_SECONDS)
        self.settle(len(before))

    def settle(self, replicas: int) -> None:
        """Wait until so many pods serve, as the newest generation says, and no others are left."""
        eventually(lambda: self._is_settled(replicas), seconds=PATIENCE_SECONDS)

    def _is_settled(self, replicas: int) -> bool:
        progressing = self.site.condition(self.name, "Progressing")
        generation = self.site.read(f"wd/{self.name}")["metadata"]["generation"]
        told = (progressing["reason"], progressing["observedGeneration"]) == ("Settled", generation)
        return told and len(self.pods()) == len(self.ready()) == replicas

    def pods(self) -> list[dict[str, Any]]:
        """Return its servers' pods, also those that leave."""
        selector = f"whisperoperator.dev/pool=cpu,app.kubernetes.io/instance={self.name}"
        return list(self.site.read(f"pods -l {selector}")["items"])

    def ready(self) -> list[str]:
        """Return the names of pods that answer and stay."""
        return [pod["metadata"]["name"] for pod in self.pods() if _is_ready(pod)]

    def uids(self) -> set[str]:
        """Return what tells its pods from others of their names."""
        return {pod["metadata"]["uid"] for pod in self.pods()}

    def addresses(self) -> list[str]:
        """Return where each of its pods answers."""
        return [f"http://{pod['status']['podIP']}:8000" for pod in self.pods() if _is_ready(pod)]

    def change_keys(self, **keys: str) -> None:
        """Write keys into the Secret."""
        patch = json.dumps({"stringData": keys})
        self.site.shell(f"kubectl patch secret {self.site.key_of(self.name)} --patch-file=/dev/stdin", patch)

    def ask(self, *arguments: str) -> Any:  # noqa: ANN401 - what a script prints
        """Run the client of sessions."""
        return json.loads(self.site.ask("/client/sessions.py", *arguments, secret=self.site.key_of(self.name)))

    @contextmanager
    def asked_without_pause(self, seen: list[str], *, session: bool = False) -> Iterator[None]:
        """Ask while the block runs, with the key or in a session; no request may fail, and all hear the same."""
        arguments = ["/client/load.py", self.url, f"/audio/{_CLIP}", *(["session"] if session else [])]
        with self.site.client(*arguments, secret=self.site.key_of(self.name)) as load:
            load.wait_for("asking")
            yield
            load.signal("TERM")
            report = json.loads(load.ended().splitlines()[-1])
        sent, failed = sum(report["sent"].values()), report["failed"]
        seen.append(f"{sent} requests, {len(failed)} failed, the longest {report['longest_seconds']} s")
        assert not failed, failed
        assert min(report["sent"].values()) > 1
        assert len(report["texts"]) == 1

    def evict(self, pod: str) -> None:
        """Ask for a pod's eviction, as `kubectl drain` does.

        Raises:
            RuntimeError: It is refused.
        """
        place = {"name": pod, "namespace": self.site.namespace}
        asked = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": place}
        path = f"/api/v1/namespaces/{self.site.namespace}/pods/{pod}/eviction"
        self.site.shell(f"kubectl create --raw {path} -f -", json.dumps(asked))

    def kill(self, pod: str) -> None:
        """Send the server of a pod SIGKILL, as the kernel does where memory ends; the node is this machine."""
        (container,) = self.site.read(f"pod/{pod}")["status"]["containerStatuses"]
        identity = container["containerID"].rpartition("/")[2]
        found = [pid for pid in _pids() if identity in _cgroup(pid)]
        assert found, f"no process of {identity} is on this machine"
        for pid in found:
            with suppress(ProcessLookupError):  # its parent took it along
                os.kill(pid, signal.SIGKILL)

    def figures(self, metric: str) -> dict[str, float]:
        """Read a figure that each ready pod publishes; the pods' network is this machine's."""
        read = {}
        for pod in filter(_is_ready, self.pods()):
            url = f"http://{pod['status']['podIP']}:{MANAGEMENT_PORT}{METRICS_PATH}"
            published = self.site.shell(f"curl --silent --fail --max-time 10 {url}")
            read[str(pod["metadata"]["name"])] = sum(samples(published, metric))
        return read


def pool(**resources: Mapping[str, str]) -> dict[str, Any]:
    """Build a pool of small pods."""
    return {"name": "cpu", "device": "cpu", "resources": SMALL | resources}


def new_key() -> str:
    """Make a key."""
    return secrets.token_hex(32)


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", ())}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def _pids() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal()]


def _cgroup(pid: int) -> str:
    with suppress(OSError):  # it has ended meanwhile
        return Path(f"/proc/{pid}/cgroup").read_text()
    return ""
