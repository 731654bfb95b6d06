"""The programs of a control plane: found on this machine, or built once from their Go modules into a cache."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from filelock import FileLock

VERSION: Final = "1.35.4"
_SOURCES: Final = Path(__file__).parent / "kubernetes"
_PACKAGES: Final = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
}


class NoControlPlane(Exception):
    """The programs are not here and cannot be built; says what to install."""


def find_programs() -> dict[str, Path]:
    """Return each program's path: from `KUBEBUILDER_ASSETS`, the PATH or the cache, or built (minutes, once).

    Raises:
        NoControlPlane: They are nowhere, and there is no Go to build them with.
    """
    for folder in filter(None, (os.environ.get("KUBEBUILDER_ASSETS"), os.environ.get("PATH"))):
        found = {name: shutil.which(name, path=folder) for name in _PACKAGES}
        if all(found.values()):
            return {name: Path(path) for name, path in found.items() if path}
    cache = Path(
        os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "whisper-operator", f"kubernetes-{VERSION}"
    )
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "building"):
        for name, package in _PACKAGES.items():
            if not (cache / name).exists():
                _build(name, package, cache)
    return {name: cache / name for name in _PACKAGES}


def _build(name: str, package: str, cache: Path) -> None:
    go = shutil.which("go", path=f"{os.environ.get('PATH', '')}:/usr/local/go/bin")
    if go is None:
        raise NoControlPlane(f"{', '.join(_PACKAGES)}: set KUBEBUILDER_ASSETS to their folder, or install Go 1.25.")
    stamp = "k8s.io/component-base/version"
    flags = f"-s -w -X {stamp}.gitVersion=v{VERSION} -X {stamp}.gitMajor=1 -X {stamp}.gitMinor=35"
    with tempfile.TemporaryDirectory() as folder:
        for source in _SOURCES.iterdir():
            shutil.copy(source, folder)
        environment = os.environ | {"CGO_ENABLED": "0"}
        target = str(Path(folder, name))
        commands = [["mod", "tidy"], ["build", "-trimpath", "-ldflags", flags, "-o", target, package]]
        for command in commands:
            done = subprocess.run(
                [go, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise NoControlPlane(f"{name} cannot be built: {done.stderr[-1000:]}")
        # Appears whole or not at all.
        partial = cache / f"{name}.partial"
        shutil.copy(target, partial)
        partial.rename(cache / name)
