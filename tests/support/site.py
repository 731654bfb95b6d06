"""`Site`: a cluster with nodes, as a person with a shell has it."""

import base64
import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from tests.support.patience import eventually
from whisper_operator.api.base import GROUP, VERSION

RESTRICTED: Final = {"pod-security.kubernetes.io/enforce": "restricted"}
REDIS_IMAGE: Final = "whisper-e2e-redis:0.1.0"
CLIENT_IMAGE: Final = "whisper-e2e-client:0.1.0"
SMALL: Final = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}}
"""What a pod with the demo model needs, so that a small node takes several."""
_POD_SECONDS: Final = 300


class Site:
    """Runs what a person types.

    Args:
        kubeconfig: A copy, which is changed.
        programs: Folders with helm and kubectl.
        command: Makes of a command one that runs where the cluster is reached.
        image_prefix: Of the images of this project, which the cluster has.
        volumes: A folder of the node for volumes; `None` where the cluster makes them itself.
    """

    def __init__(
        self,
        kubeconfig: Path,
        programs: Sequence[Path],
        command: Callable[..., list[str]],
        image_prefix: str,
        volumes: Path | None = None,
    ) -> None:
        folder = kubeconfig.parent
        self.image_prefix = image_prefix
        self.namespace = f"whisper-e2e-{secrets.token_hex(3)}"
        """Where what is typed without a namespace goes."""
        self._command = command
        self._volumes = volumes
        self._environment = os.environ | {
            "KUBECONFIG": str(kubeconfig),
            "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
            "KUBECACHEDIR": str(folder / "kubectl"),
            **{f"HELM_{kind}_HOME": str(folder / "helm") for kind in ("CACHE", "CONFIG", "DATA")},
        }

    def shell(self, line: str, standard_input: str | None = None) -> str:
        """Run what a person types; return what is printed.

        Raises:
            RuntimeError: With what was printed, if it fails.
        """
        command = self._command("bash", "-euo", "pipefail", "-c", line)
        done = subprocess.run(
            command, env=self._environment, input=standard_input, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{line}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    @contextmanager
    def beside(self, log: Path, *command: str) -> Iterator[None]:
        """Run a program where the cluster is reached, while the block runs."""
        with log.open("wb") as output:
            process = subprocess.Popen(self._command(*command), env=self._environment, stdout=output, stderr=output)
        try:
            yield
        finally:
            process.terminate()
            process.wait()

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """Apply manifests."""
        self.shell("kubectl apply -f -", yaml.safe_dump_all(manifests))

    @contextmanager
    def defined(self, definitions: Sequence[Mapping[str, Any]]) -> Iterator[None]:
        """Let the cluster have kinds while the block runs."""
        names = " ".join(each["metadata"]["name"] for each in definitions)
        try:
            self.shell("kubectl apply --server-side -f -", yaml.safe_dump_all(definitions))
            self.shell(f"kubectl wait --for=condition=Established --timeout=1m crd {names}")
            yield
        finally:
            self.shell(f"kubectl delete crd --ignore-not-found --timeout=1m {names}")

    def read(self, what: str) -> dict[str, Any]:
        """Read an object, or a list of them: `wd/demo`, `pods -l app=x`."""
        return dict(json.loads(self.shell(f"kubectl get {what} -o json")))

    def open(self) -> None:
        """Make the namespace, with the strictest admission."""
        self.shell(f"kubectl create namespace {self.namespace}")
        labels = " ".join(f"{key}={value}" for key, value in RESTRICTED.items())
        self.shell(f"kubectl label namespace {self.namespace} {labels}")
        self.shell(f"kubectl config set-context --current --namespace {self.namespace}")
        # A pod needs the account that a controller makes.
        eventually(lambda: self.shell("kubectl get serviceaccount default"))

    def volume(self, size: str) -> None:
        """Let a claim of this size find a volume."""
        if self._volumes is None:
            return
        name = f"volume-{secrets.token_hex(3)}"
        folder = self._volumes / name
        folder.mkdir(parents=True)
        affinity = {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}
        spec = {
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"],
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [affinity]}]}},
        }
        self.apply({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec})

    def small_redis(self) -> dict[str, Any]:
        """Build `spec.redis` of a resource with a small one of its own, whose claim finds a volume."""
        self.volume("64Mi")
        return {"managed": {"image": f"{self.image_prefix}{REDIS_IMAGE}", "size": "64Mi", "memory": "64Mi"}}

    def give_devices(self, kind: str, count: int) -> None:
        """Let the first node have so many devices of a kind, as the plugin of the device would say."""
        (node, *_) = self.read("nodes")["items"]
        pointer = kind.replace("/", "~1")
        there = [
            {"op": "add", "path": f"/status/{of}/{pointer}", "value": str(count)} for of in ("capacity", "allocatable")
        ]
        name = node["metadata"]["name"]
        self.shell(f"kubectl patch node {name} --subresource=status --type=json -p '{json.dumps(there)}'")

    def key_of(self, resource: str) -> str:
        """Return the name of the Secret with the key of a resource."""
        secrets_of = self.read(f"secret -l app.kubernetes.io/instance={resource}")["items"]
        return next(str(each["metadata"]["name"]) for each in secrets_of if "API_KEY" in each["data"])

    def keys(self, resource: str) -> dict[str, str]:
        """Return what is in the Secret with the keys of a resource."""
        data = self.read(f"secret/{self.key_of(resource)}")["data"]
        return {name: base64.b64decode(value).decode() for name, value in data.items()}

    def condition(self, resource: str, kind: str) -> dict[str, Any]:
        """Return a condition of a resource; empty if it is not there."""
        conditions = self.read(f"wd/{resource}").get("status", {}).get("conditions", ())
        return next((dict(each) for each in conditions if each["type"] == kind), {})

    @contextmanager
    def client(self, script: str, *arguments: str, secret: str) -> Iterator["Client"]:
        """Run a script of the client's image in a pod that has the key from a Secret, while the block runs."""
        name = f"client-{secrets.token_hex(3)}"
        self.apply(client_pod(name, f"{self.image_prefix}{CLIENT_IMAGE}", [script, *arguments], secret))
        try:
            yield Client(self, name)
        finally:
            self.shell(f"kubectl delete pod {name} --ignore-not-found --wait=false")

    def ask(self, script: str, *arguments: str, secret: str) -> str:
        """Run a script of the client's image to its end; return what it prints."""
        with self.client(script, *arguments, secret=secret) as client:
            return client.ended()


class Client:
    """A pod that calls servers."""

    def __init__(self, site: Site, name: str) -> None:
        self._site = site
        self._name = name

    def wait_for(self, word: str) -> None:
        """Wait until it has printed a word."""
        eventually(lambda: word in self._site.shell(f"kubectl logs {self._name}"), seconds=_POD_SECONDS)

    def signal(self, name: str) -> None:
        """Send its program a signal."""
        ask = f"import os, signal; os.kill(1, signal.SIG{name})"
        self._site.shell(f"kubectl exec {self._name} -- python -c '{ask}'")

    def ended(self) -> str:
        """Wait until it has ended; return what it printed.

        Raises:
            RuntimeError: It failed, or did not end.
        """
        deadline = time.monotonic() + _POD_SECONDS
        while (phase := self._phase()) not in {"Succeeded", "Failed"}:
            if time.monotonic() > deadline:
                raise RuntimeError(self._site.shell(f"kubectl describe pod {self._name}"))
            time.sleep(0.5)
        said = self._site.shell(f"kubectl logs {self._name}")
        if phase == "Failed":
            raise RuntimeError(f"the client's pod failed: {said[-3000:]}")
        return said

    def _phase(self) -> str:
        return self._site.shell(f"kubectl get pod {self._name} -o jsonpath={{.status.phase}}")


def resource(name: str, **spec: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a spec
    """Build a resource with the demo model of the server's image."""
    model = {"name": "demo", "source": {"path": "/models/demo"}}
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "WhisperDeployment",
        "metadata": {"name": name},
        "spec": {"model": model, **spec},
    }


def client_pod(name: str, image: str, arguments: Sequence[str], secret: str) -> dict[str, Any]:
    """Build a pod that calls a server with the key from a Secret."""
    keys = {"OPENAI_API_KEY": "API_KEY", "ADMIN_PASSWORD": "ADMIN_PASSWORD"}
    variables = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key, "optional": True}}}
        for name, key in keys.items()
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "client"}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "client",
                    "image": image,
                    "args": list(arguments),
                    "env": variables,
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }
