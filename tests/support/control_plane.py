"""A real control plane: etcd, the API server, its controllers and the scheduler; on loopback; nodes are the test's."""

import secrets
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from tests.support.processes import LocalProcesses, Processes
from whisper_operator.play.ports import free_port

_START_SECONDS: Final = 90
_AUDIT: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "userGroups": ["system:masters", "system:serviceaccounts:kube-system"]},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
    ],
}


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a control plane runs, and what it is told beyond what every one is."""

    processes: Processes = field(default_factory=LocalProcesses)
    address: str = "127.0.0.1"
    api_server: Mapping[str, str] = field(default_factory=dict)
    """Options; one that is there already is replaced."""
    controllers: Mapping[str, str] = field(default_factory=dict)
    tokens: tuple[str, ...] = ()
    """More lines of who may come in: token, name, number, groups."""


class ControlPlane:
    """Runs from construction to `close`."""

    def __init__(self, programs: Mapping[str, Path], folder: Path, setting: Setting | None = None) -> None:
        self._programs = programs
        self._folder = folder
        self._setting = setting or Setting()
        self._token = secrets.token_hex(16)
        self._ports = {name: free_port() for name in ("client", "peer", "api")}
        self.kubeconfig = self.kubeconfig_of(self._token, folder / "kubeconfig")
        """Of an administrator."""
        self.audit_log = folder / "audit.log"
        """What ServiceAccounts did, an event of audit.k8s.io/v1 in each line."""
        self._prepare()
        self._start_etcd()
        self.start_api_server()

    @property
    def url(self) -> str:
        """Where the API server is."""
        return f"https://{self._setting.address}:{self._ports['api']}"

    def _start_controllers(self) -> None:
        common = ["--kubeconfig", str(self.kubeconfig), "--leader-elect=false", "--secure-port", "0"]
        keys = ["--service-account-private-key-file", str(self._folder / "sa.key"), "--use-service-account-credentials"]
        # Else the garbage of a test with hundreds of resources keeps the next tests' waiting: 20 requests a second.
        pace = ["--kube-api-qps", "500", "--kube-api-burst", "1000"]
        more = [f"--{name}={value}" for name, value in self._setting.controllers.items()]
        self._start("kube-controller-manager", [*common, *keys, *pace, *more])
        self._start("kube-scheduler", common)

    def start_api_server(self) -> None:
        """Start it, wait until it answers, and start its controllers and the scheduler."""
        folder = self._folder
        arguments = {
            "etcd-servers": f"http://127.0.0.1:{self._ports['client']}",
            "bind-address": self._setting.address,
            "secure-port": str(self._ports["api"]),
            "cert-dir": str(folder / "certificates"),
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": str(folder / "sa.key"),
            "service-account-signing-key-file": str(folder / "sa.key"),
            "token-auth-file": str(folder / "tokens.csv"),
            "authorization-mode": "RBAC",
            # As OpenShift has it: an owner reference that keeps the owner from being deleted needs a right.
            "enable-admission-plugins": "OwnerReferencesPermissionEnforcement",
            "audit-policy-file": str(folder / "audit.yaml"),
            "audit-log-path": str(self.audit_log),
            "service-cluster-ip-range": "10.96.0.0/16",
            **self._setting.api_server,
        }
        self._start("kube-apiserver", [f"--{name}={value}" for name, value in arguments.items()])
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_ready():
            if time.monotonic() > deadline or not self._processes.is_running("kube-apiserver"):
                raise RuntimeError(f"the API server did not start: {self._log('kube-apiserver')[-2000:]}")
            time.sleep(0.2)
        self._start_controllers()

    def stop_api_server(self) -> None:
        """Stop it: watches break, requests are refused. Its controllers would not outlive it, and go first."""
        self.stop_controllers()
        self._processes.stop("kube-apiserver")

    def kill_api_server(self) -> None:
        """Kill it and its controllers, with no time to say goodbye."""
        for name in ("kube-apiserver", "kube-scheduler", "kube-controller-manager"):
            self._processes.stop(name, seconds=0)

    def stop_controllers(self) -> None:
        """Stop them and the scheduler: from then on nothing follows from a Deployment."""
        for name in ("kube-scheduler", "kube-controller-manager"):
            self._processes.stop(name)

    def close(self) -> None:
        """End every program; the API server before etcd, without which it hangs."""
        self.stop_api_server()
        self._processes.stop("etcd")

    def _prepare(self) -> None:
        openssl = shutil.which("openssl") or "openssl"
        key = [openssl, "genrsa", "-out", str(self._folder / "sa.key"), "2048"]
        subprocess.run(key, check=True, capture_output=True)
        (self._folder / "audit.yaml").write_text(yaml.safe_dump(_AUDIT))
        known = (f'{self._token},admin,admin,"system:masters"', *self._setting.tokens)
        (self._folder / "tokens.csv").write_text("".join(f"{line}\n" for line in known))

    def _start_etcd(self) -> None:
        client, peer = (f"http://127.0.0.1:{self._ports[name]}" for name in ("client", "peer"))
        arguments = {
            "data-dir": str(self._folder / "etcd"),
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
            "log-level": "error",
        }
        self._start("etcd", ["--unsafe-no-fsync", *(f"--{name}={value}" for name, value in arguments.items())])

    def kubeconfig_of(self, token: str, path: Path) -> Path:
        """Write a kubeconfig of whoever has the token."""
        cluster = {"server": self.url, "certificate-authority": str(self.certificate)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "user"}}],
            "current-context": "tests",
        }
        path.write_text(yaml.safe_dump(config))
        return path

    @property
    def certificate(self) -> Path:
        """Of the API server, and of who signed it."""
        return self._folder / "certificates" / "apiserver.crt"

    @property
    def _processes(self) -> Processes:
        return self._setting.processes

    def _is_ready(self) -> bool:
        if not self.certificate.exists():
            return False
        asked = [str(self._programs["kubectl"]), "--kubeconfig", str(self.kubeconfig), "get", "--raw", "/readyz"]
        command = self._processes.command(asked)
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _start(self, name: str, arguments: list[str]) -> None:
        self._processes.start(name, [str(self._programs[name]), *arguments], self._folder)

    def _log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")
