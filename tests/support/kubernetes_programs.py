"""Programs and definitions of Kubernetes for tests: found on this machine, or built once from their Go modules."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml
from filelock import FileLock

_HERE: Final = Path(__file__).parent
_VERSION: Final = "1.35.4"
_STAMP: Final = "k8s.io/component-base/version"
_HELM_VERSION: Final = "3.22.0"
_COREDNS_VERSION: Final = "1.15.0"
_ADAPTER_VERSION: Final = "1.36.0"
_KEDA: Final = "github.com/kedacore/keda/v2"
_KEDA_VERSION: Final = "2.18.1"
_HELM_STAMP: Final = "helm.sh/helm/v3/pkg"


class NoControlPlane(Exception):
    """The programs are not here and cannot be built; says what to install."""


@dataclass(frozen=True, slots=True)
class Programs:
    """What is built from one Go module, at one version."""

    name: str
    """Of the folder with the module's go.mod, and of the cache."""
    version: str
    packages: Mapping[str, str]
    """What is built, by the program's name."""
    flags: str
    """What the linker writes into the programs: without their version they believe to be other ones."""
    cgo: bool = False
    """Whether they need a C compiler."""


_KUBERNETES_FLAGS: Final = f"-X {_STAMP}.gitVersion=v{_VERSION} -X {_STAMP}.gitMajor=1 -X {_STAMP}.gitMinor=35"

CONTROL_PLANE: Final = Programs(
    "kubernetes",
    _VERSION,
    {
        "etcd": "go.etcd.io/etcd/server/v3",
        "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
        "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
        "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
        "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    },
    _KUBERNETES_FLAGS,
)
NODE: Final = Programs(
    "kubernetes",
    _VERSION,
    {"kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy", "kubelet": "k8s.io/kubernetes/cmd/kubelet"},
    _KUBERNETES_FLAGS,
    cgo=True,
)
COREDNS: Final = Programs("coredns", _COREDNS_VERSION, {"coredns": "github.com/coredns/coredns"}, "")
ADAPTER: Final = Programs(
    "adapter", _ADAPTER_VERSION, {"test-adapter": "sigs.k8s.io/custom-metrics-apiserver/test-adapter"}, ""
)
KEDA: Final = Programs(
    "keda",
    _KEDA_VERSION,
    {"keda-operator": f"{_KEDA}/cmd/operator", "keda-adapter": f"{_KEDA}/cmd/adapter"},
    f"-X {_KEDA}/version.Version={_KEDA_VERSION}",
)
PAUSE: Final = Programs("pause", "1", {"pause": "."}, "")
HELM: Final = Programs(
    "helm",
    _HELM_VERSION,
    {"helm": "helm.sh/helm/v3/cmd/helm"},
    f"-X {_HELM_STAMP}/lint/rules.k8sVersionMajor=1 -X {_HELM_STAMP}/lint/rules.k8sVersionMinor=35 "
    f"-X {_HELM_STAMP}/chartutil.k8sVersionMajor=1 -X {_HELM_STAMP}/chartutil.k8sVersionMinor=35",
)

FOREIGN: Final = MappingProxyType(
    {
        "keda": (
            f"{_KEDA}@v{_KEDA_VERSION}",
            "config/crd/bases/keda.sh_scaledobjects.yaml",
            "config/crd/bases/keda.sh_scaledjobs.yaml",
            "config/crd/bases/keda.sh_triggerauthentications.yaml",
            "config/crd/bases/keda.sh_clustertriggerauthentications.yaml",
            "config/crd/bases/eventing.keda.sh_cloudeventsources.yaml",
            "config/crd/bases/eventing.keda.sh_clustercloudeventsources.yaml",
        ),
        "gateway": (
            "sigs.k8s.io/gateway-api@v1.4.1",
            "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
        ),
        "prometheus": (
            "github.com/prometheus-operator/prometheus-operator@v0.85.0",
            "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
            "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
        ),
    }
)
"""Whose kinds may be children of ours: the module that publishes their definitions, and the files."""


def find_programs(wanted: Programs, *, build: bool = True) -> dict[str, Path]:
    """Return each program's path: from `KUBEBUILDER_ASSETS`, the PATH or the cache, or built (minutes, once).

    Raises:
        NoControlPlane: They are nowhere, and are not to be built, or there is no Go to build them with.
    """
    for folder in filter(None, (os.environ.get("KUBEBUILDER_ASSETS"), os.environ.get("PATH"))):
        found = {name: shutil.which(name, path=folder) for name in wanted.packages}
        if all(found.values()):
            return {name: Path(path) for name, path in found.items() if path}
    cache = cache_folder(f"{wanted.name}-{wanted.version}")
    with FileLock(cache / "building"):
        for name, package in wanted.packages.items():
            if not (cache / name).exists():
                if not build:
                    raise NoControlPlane(f"{name} was not built yet")
                _build(wanted, name, package, cache)
    return {name: cache / name for name in wanted.packages}


def foreign_definitions(*owners: str) -> list[dict[str, Any]]:
    """Return the CustomResourceDefinitions of some of `FOREIGN`.

    Raises:
        NoControlPlane: There is no Go to download them with.
    """
    definitions = []
    for module, *files in (FOREIGN[owner] for owner in owners):
        with tempfile.TemporaryDirectory() as folder:
            downloaded = json.loads(_go(["mod", "download", "-json", module], folder))
        definitions += [yaml.safe_load(Path(downloaded["Dir"], file).read_text()) for file in files]
    return definitions


def cache_folder(name: str) -> Path:
    """Return a folder, outside the checkout, of what is made once."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "whisper-operator", name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _build(wanted: Programs, name: str, package: str, cache: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for source in (_HERE / wanted.name).iterdir():
            shutil.copy(source, folder)
        _go(["mod", "tidy"], folder, wanted)
        target = Path(folder, name)
        linked = ["-ldflags", f"-s -w {wanted.flags}"]
        _go(["build", "-trimpath", *linked, "-o", str(target), package], folder, wanted)
        # Appears whole or not at all.
        partial = cache / f"{name}.partial"
        shutil.copy(target, partial)
        partial.rename(cache / name)


def _go(arguments: list[str], folder: str, wanted: Programs = CONTROL_PLANE) -> str:
    go = shutil.which("go", path=f"{os.environ.get('PATH', '')}:/usr/local/go/bin")
    if go is None:
        raise NoControlPlane(
            f"{', '.join(wanted.packages)}: set KUBEBUILDER_ASSETS to their folder, or install Go 1.26."
        )
    environment = os.environ | {"CGO_ENABLED": str(int(wanted.cgo))}
    done = subprocess.run([go, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoControlPlane(f"go {arguments[0]} failed: {done.stderr[-1000:]}")
    return done.stdout
