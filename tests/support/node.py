"""A real node: control plane, kubelet, containerd, kube-proxy and CoreDNS, sealed off in namespaces of their own.

Nothing that it sends leaves the machine, and it leaves nothing there: no process, mount, network, cgroup or file.
"""

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml
from filelock import FileLock, Timeout

from tests.support.control_plane import ControlPlane, Setting
from tests.support.processes import SealedProcesses

PAUSE_IMAGE: Final = "localhost/pause:1"
_ADDRESS: Final = "10.99.0.1"
_DNS: Final = "10.96.0.10"
_PODS: Final = "10.244.0.0/24"
_NAME: Final = "n1"
_START_SECONDS: Final = 120
_CGROUPS: Final = Path("/sys/fs/cgroup")
_PREFIX: Final = "whisper-e2e-"
_WEIGHTS: Final[Mapping[str, str]] = MappingProxyType({"cpu.shares": "16384", "cpu.weight": "1600"})
"""Of all pods together, by the version of cgroups: as one group they would get no more than one busy process beside."""

NEEDED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "containerd": "containerd",
        "ctr": "containerd",
        "runc": "runc",
        "nft": "nftables",
        "iptables": "iptables",
        "conntrack": "conntrack",
        "openssl": "openssl",
    }
)
"""Programs of the machine, and the Debian packages that have them."""
PLUGINS: Final = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
"""Where the network plugins are; Debian's package is containernetworking-plugins."""


class Node:
    """Runs from construction to `close`.

    Args:
        programs: Those of the control plane, of a node, and CoreDNS, by name.
        folder: Empty, with a short name, because the paths of sockets are bounded.
    """

    def __init__(self, programs: Mapping[str, Path], folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._processes = SealedProcesses(folder, _ADDRESS)
        self._token = secrets.token_hex(16)
        self._make_certificate()
        self.plane = ControlPlane(programs, folder, self._setting())
        """Its control plane."""
        self.kubeconfig = self.plane.kubeconfig
        """Of an administrator; it works with `command`."""
        self._start_containerd()
        self._start_kubelet()
        self._start_network()

    def command(self, *command: str) -> list[str]:
        """Return what runs a command where the cluster is reached."""
        return self._processes.command(command)

    def load(self, archive: Path) -> None:
        """Give the node the images of an archive."""
        _check(self._inside("ctr", "-a", self._socket, "-n", "k8s.io", "images", "import", str(archive)))

    def wait(self) -> None:
        """Wait until the node takes pods."""
        deadline = time.monotonic() + _START_SECONDS
        ready = ["wait", "--for=condition=Ready", f"node/{_NAME}", "--timeout=5s"]
        while subprocess.run(self._kubectl(*ready), capture_output=True, check=False).returncode:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the node is not ready: {self._log('kubelet')[-3000:]}")
            time.sleep(0.5)

    def close(self) -> None:
        """End everything; the kernel takes processes, mounts and network along with the first process."""
        self._processes.close()

    def _setting(self) -> Setting:
        return Setting(
            processes=self._processes,
            address=_ADDRESS,
            api_server={
                "authorization-mode": "Node,RBAC",
                "allow-privileged": "true",
                "enable-admission-plugins": "OwnerReferencesPermissionEnforcement,NodeRestriction",
                # Otherwise logs and exec would look for the node by its name.
                "kubelet-preferred-address-types": "InternalIP",
                "kubelet-client-certificate": str(self._folder / "client.crt"),
                "kubelet-client-key": str(self._folder / "client.key"),
            },
            controllers={
                "root-ca-file": str(self._folder / "certificates" / "apiserver.crt"),
                # Not a quarter of a minute and five: a test waits for autoscalers.
                "horizontal-pod-autoscaler-sync-period": "5s",
                "horizontal-pod-autoscaler-downscale-stabilization": "20s",
            },
            tokens=(f'{self._token},system:node:{_NAME},node,"system:nodes"',),
        )

    def _make_certificate(self) -> None:
        """Of the API server, for the kubelet: it signs itself, and the kubelet trusts it alone."""
        files = ["-keyout", str(self._folder / "client.key"), "-out", str(self._folder / "client.crt")]
        subject = ["-subj", "/O=system:masters/CN=kube-apiserver", "-addext", "extendedKeyUsage=clientAuth"]
        _check(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files])

    def _start_containerd(self) -> None:
        root = self._folder / "containerd"
        root.mkdir()
        networks = self._folder / "networks"
        networks.mkdir()
        (networks / "10-pods.conflist").write_text(json.dumps(_pod_network()))
        (root / "config.toml").write_text(
            f'version = 2\nroot = "{self._folder}/images/root"\nstate = "{self._folder}/images/state"\n'
            f'[grpc]\n  address = "{self._socket}"\n'
            '[plugins."io.containerd.grpc.v1.cri"]\n'
            # Without CAP_SYS_RESOURCE no sandbox would start.
            "  restrict_oom_score_adj = true\n"
            f'  sandbox_image = "{PAUSE_IMAGE}"\n'
            '[plugins."io.containerd.grpc.v1.cri".cni]\n'
            f'  bin_dir = "{plugins_folder()}"\n  conf_dir = "{networks}"\n'
        )
        self._start("containerd", shutil.which("containerd") or "containerd", {"config": str(root / "config.toml")})
        self._wait_for(Path(self._socket).exists, "containerd")

    def _start_kubelet(self) -> None:
        _make_cgroup(self._folder.name)
        config = _kubelet_config(self._folder, self._socket)
        (self._folder / "kubelet.yaml").write_text(yaml.safe_dump(config))
        (self._folder / "resolv.conf").write_text(f"nameserver {_ADDRESS}\n")
        options = {
            "config": str(self._folder / "kubelet.yaml"),
            "kubeconfig": str(self.plane.kubeconfig_of(self._token, self._folder / "node.kubeconfig")),
            "hostname-override": _NAME,
            "root-dir": str(self._folder / "kubelet"),
            "cert-dir": str(self._folder / "certificates"),
            "node-ip": _ADDRESS,
        }
        self._start("kubelet", str(self._programs["kubelet"]), options)

    def _start_network(self) -> None:
        options = {
            "kubeconfig": str(self.kubeconfig),
            "proxy-mode": "nftables",
            "cluster-cidr": _PODS,
            "hostname-override": _NAME,
            # The kernel's limits on connections are the machine's: left as they are.
            "conntrack-max-per-core": "0",
            "conntrack-min": "0",
            "conntrack-tcp-timeout-established": "0",
            "conntrack-tcp-timeout-close-wait": "0",
        }
        self._start("kube-proxy", str(self._programs["kube-proxy"]), options)
        (self._folder / "Corefile").write_text(
            f".:53 {{\n  bind {_ADDRESS}\n  kubernetes cluster.local {{\n    kubeconfig {self.kubeconfig}\n  }}\n}}\n"
        )
        self._processes.start(
            "coredns", [str(self._programs["coredns"]), "-conf", str(self._folder / "Corefile")], self._folder
        )
        _check(self._kubectl("apply", "-f", "-"), yaml.safe_dump_all(_dns_service()))

    def _start(self, name: str, program: str, options: Mapping[str, str]) -> None:
        self._processes.start(name, [program, *(f"--{key}={value}" for key, value in options.items())], self._folder)

    def _wait_for(self, true: Callable[[], bool], name: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not true():
            if time.monotonic() > deadline or not self._processes.is_running(name):
                raise RuntimeError(f"{name} did not start: {self._log(name)[-3000:]}")
            time.sleep(0.1)

    @property
    def _socket(self) -> str:
        return str(self._folder / "containerd" / "containerd.sock")

    def _inside(self, *command: str) -> list[str]:
        return self._processes.inside(command)

    def _kubectl(self, *arguments: str) -> list[str]:
        return self.command(str(self._programs["kubectl"]), "--kubeconfig", str(self.kubeconfig), *arguments)

    def _log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")


@contextlib.contextmanager
def node_folder() -> Iterator[Path]:
    """Make a node's folder, and take it away at the end; those of runs that were killed go, too."""
    above = Path(tempfile.gettempdir())
    for left in above.glob(f"{_PREFIX}*.lock"):
        with contextlib.suppress(Timeout), FileLock(left, blocking=False):
            remove_node(left.with_suffix(""))
            left.unlink(missing_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=above))
    lock = folder.with_suffix(".lock")
    with FileLock(lock):
        try:
            yield folder
        finally:
            remove_node(folder)
            lock.unlink()


def plugins_folder() -> Path | None:
    """Return where the network plugins are, if they are somewhere."""
    return next((folder for folder in PLUGINS if (folder / "bridge").exists()), None)


def missing_programs() -> str | None:
    """Say which of the machine's programs are missing, and what installs them."""
    packages = {package for name, package in NEEDED.items() if shutil.which(name) is None}
    if plugins_folder() is None:
        packages.add("containernetworking-plugins")
    return f"apt-get install {' '.join(sorted(packages))}" if packages else None


def remove_node(folder: Path) -> None:
    """Take away what outlives a node's processes: its cgroups and its files."""
    for controller in _controllers():
        for group in sorted((controller / folder.name).glob("**/"), reverse=True):
            with contextlib.suppress(OSError):
                group.rmdir()
    shutil.rmtree(folder, ignore_errors=True)


def _controllers() -> list[Path]:
    """Return the trees of cgroups: one, or in version 1 one for each controller."""
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS]
    return [folder for folder in _CGROUPS.iterdir() if folder.is_dir() and not folder.is_symlink()]


def _make_cgroup(name: str) -> None:
    for controller in _controllers():
        group = controller / name
        group.mkdir(exist_ok=True)
        for weight, value in _WEIGHTS.items():
            if (group / weight).exists():
                (group / weight).write_text(value)


def _pod_network() -> dict[str, Any]:
    addresses = {"type": "host-local", "ranges": [[{"subnet": _PODS}]], "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": "pods0", "isGateway": True, "hairpinMode": True, "ipam": addresses}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]}


def _kubelet_config(folder: Path, socket: str) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "x509": {"clientCAFile": str(folder / "client.crt")},
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{folder.name}",
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "containerRuntimeEndpoint": f"unix://{socket}",
        "resolvConf": str(folder / "resolv.conf"),
        "podLogsDir": str(folder / "logs"),
        "volumePluginDir": str(folder / "plugins"),
        "clusterDNS": [_DNS],
        "clusterDomain": "cluster.local",
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi"},
    }


def _dns_service() -> list[dict[str, Any]]:
    metadata = {"name": "kube-dns", "namespace": "kube-system"}
    ports = [{"name": f"dns-{kind.lower()}", "port": 53, "protocol": kind} for kind in ("UDP", "TCP")]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"clusterIP": _DNS, "ports": ports}}
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata | {"labels": {"kubernetes.io/service-name": "kube-dns"}},
        "addressType": "IPv4",
        "ports": ports,
        "endpoints": [{"addresses": [_ADDRESS]}],
    }
    return [service, endpoints]


def _check(command: list[str], standard_input: str | None = None) -> None:
    done = subprocess.run(command, input=standard_input, capture_output=True, text=True, check=False, env=os.environ)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
