"""A real control plane on loopback: etcd, the API server, its controllers and the scheduler; nodes are the test's."""

import secrets
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

import yaml

from tests.support.ports import free_port

_START_SECONDS: Final = 90
_STOP_SECONDS: Final = 20
_AUDIT: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "userGroups": ["system:masters", "system:serviceaccounts:kube-system"]},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
    ],
}


class ControlPlane:
    """Runs from construction to `close`."""

    def __init__(self, programs: Mapping[str, Path], folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._token = secrets.token_hex(16)
        self._ports = {name: free_port() for name in ("client", "peer", "api")}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: list[IO[bytes]] = []
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
        return f"https://127.0.0.1:{self._ports['api']}"

    def _start_controllers(self) -> None:
        common = ["--kubeconfig", str(self.kubeconfig), "--leader-elect=false", "--secure-port", "0"]
        keys = ["--service-account-private-key-file", str(self._folder / "sa.key"), "--use-service-account-credentials"]
        self._start("kube-controller-manager", [*common, *keys])
        self._start("kube-scheduler", common)

    def start_api_server(self) -> None:
        """Start it, wait until it answers, and start its controllers and the scheduler."""
        folder = self._folder
        arguments = {
            "etcd-servers": f"http://127.0.0.1:{self._ports['client']}",
            "bind-address": "127.0.0.1",
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
        }
        self._start("kube-apiserver", [f"--{name}={value}" for name, value in arguments.items()])
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_ready():
            if time.monotonic() > deadline or self._running["kube-apiserver"].poll() is not None:
                raise RuntimeError(f"the API server did not start: {self._log('kube-apiserver')[-2000:]}")
            time.sleep(0.1)
        self._start_controllers()

    def stop_api_server(self) -> None:
        """Stop it: watches break, requests are refused. Its controllers would not outlive it, and go first."""
        for name in ("kube-scheduler", "kube-controller-manager", "kube-apiserver"):
            self._stop(name)

    def close(self) -> None:
        """End every program; the API server before etcd, without which it hangs."""
        self.stop_api_server()
        self._stop("etcd")
        for log in self._logs:
            log.close()

    def _prepare(self) -> None:
        openssl = shutil.which("openssl") or "openssl"
        key = [openssl, "genrsa", "-out", str(self._folder / "sa.key"), "2048"]
        subprocess.run(key, check=True, capture_output=True)
        (self._folder / "audit.yaml").write_text(yaml.safe_dump(_AUDIT))
        (self._folder / "tokens.csv").write_text(f'{self._token},admin,admin,"system:masters"\n')

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
        cluster = {"server": self.url, "certificate-authority": str(self._certificate)}
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
    def _certificate(self) -> Path:
        return self._folder / "certificates" / "apiserver.crt"

    def _is_ready(self) -> bool:
        if not self._certificate.exists():
            return False
        request = urllib.request.Request(f"{self.url}/readyz", headers={"Authorization": f"Bearer {self._token}"})  # noqa: S310 - https
        try:
            context = ssl.create_default_context(cafile=str(self._certificate))
            with urllib.request.urlopen(request, context=context, timeout=2) as answer:  # noqa: S310 - https
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _start(self, name: str, arguments: list[str]) -> None:
        log = (self._folder / f"{name}.log").open("ab")
        self._logs.append(log)
        command = [str(self._programs[name]), *arguments]
        self._running[name] = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)

    def _stop(self, name: str) -> None:
        process = self._running.pop(name, None)
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")
