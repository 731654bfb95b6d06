"""Images from Dockerfiles, by buildah or docker, and the base that they are built on where no registry is."""

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from filelock import FileLock

from tests.support.kubernetes_programs import cache_folder

BASE_IMAGE: Final = "localhost/whisper-e2e-base:bookworm-1"
"""Debian with Python, as debootstrap makes it; another recipe gets another tag."""
_BASE_PACKAGES: Final = "python3,python3-venv,ca-certificates"
_NOT_NEEDED: Final = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale")
_OF_THIS_MACHINE: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf")
"""Mounted while an image is built, so that pip finds the way that it finds here; no image keeps them."""


class Builder(Protocol):
    """Builds images and writes them into archives."""

    def build(self, arguments: Sequence[str]) -> None:
        """Build as `docker build` does with the same arguments."""

    def archive(self, image: str) -> Path:
        """Write an image into a file that containerd imports; the same image is written once."""


class Buildah:
    """Without a daemon and without a registry; layers stay in the cache between runs."""

    def __init__(self) -> None:
        self._cache = cache_folder("e2e")
        self._folder = Path(tempfile.gettempdir(), "whisper-e2e-buildah")
        # One after the other: two runs would make the same base.
        with FileLock(self._cache / "building"):
            self._make_base()

    def build(self, arguments: Sequence[str]) -> None:
        """Build as `docker build` does with the same arguments."""
        mounts = [f"--volume={path}:{path}:ro" for path in _OF_THIS_MACHINE if Path(path).exists()]
        where = ["--layers", "--isolation=chroot", "--network=host", f"--build-arg=BASE={BASE_IMAGE}"]
        self._run("bud", *where, *mounts, *arguments)

    def archive(self, image: str) -> Path:
        """Write an image into a file that containerd imports; the same image is written once."""
        folder = cache_folder("e2e/archives")
        name = image.rpartition("/")[2].replace(":", "-")
        number = self._run("inspect", "--type=image", "--format={{.FromImageID}}", image).strip()
        archive = folder / f"{name}-{number[:16]}.tar"
        if not archive.exists():
            for older in folder.glob(f"{name}-*.tar"):
                older.unlink()
            partial = archive.with_suffix(".partial")
            partial.unlink(missing_ok=True)
            self._run("push", "--quiet", "--disable-compression", image, f"oci-archive:{partial}:{image}")
            partial.rename(archive)
        return archive

    def _make_base(self) -> None:
        if self._run("images", "--quiet", "--filter", f"reference={BASE_IMAGE}").strip():
            return
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder, "root")
            _check(["debootstrap", "--variant=minbase", f"--include={_BASE_PACKAGES}", "bookworm", str(root)])
            for unneeded in _NOT_NEEDED:
                shutil.rmtree(root / unneeded)
                (root / unneeded).mkdir()
            container = self._run("from", "scratch").strip()
            self._run("add", "--quiet", container, str(root), "/")
            self._run("commit", "--quiet", "--rm", container, BASE_IMAGE)

    def _run(self, *arguments: str) -> str:
        place = [f"--root={self._cache}/storage", f"--runroot={self._folder}", "--storage-driver=overlay"]
        # Its mounts go with it, also when it is killed.
        return _check(["unshare", "--mount", "buildah", *place, *arguments])


class Docker:
    """With docker's daemon, and the base images of the Dockerfiles."""

    def build(self, arguments: Sequence[str]) -> None:
        """Build as `docker build` does with the same arguments."""
        _check(["docker", "build", *arguments])

    def archive(self, image: str) -> Path:
        """Write an image into a file that containerd imports."""
        archive = cache_folder("e2e/archives") / f"{image.rpartition('/')[2].replace(':', '-')}.tar"
        _check(["docker", "save", "--output", str(archive), image])
        return archive


def builder_problem() -> str | None:
    """Say what is missing to build images, if anything is."""
    if _buildah_is_here() or (shutil.which("docker") and not _failed(["docker", "version"])):
        return None
    return "apt-get install buildah debootstrap, or docker with its daemon"


def find_builder() -> Builder:
    """Return what builds images here, if anything does."""
    return Buildah() if _buildah_is_here() else Docker()


def build_pause(builder: Builder, program: Path, image: str) -> None:
    """Build the image of what a pod's sandbox runs."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(program, Path(folder, "pause"))
        Path(folder, "Dockerfile").write_text('FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n')
        builder.build(["-t", image, folder])


def _buildah_is_here() -> bool:
    return all(shutil.which(name) for name in ("buildah", "debootstrap", "unshare"))


def _failed(command: list[str]) -> bool:
    return bool(subprocess.run(command, capture_output=True, check=False).returncode)


def _check(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(command)}: {done.stdout[-1000:]}{done.stderr[-3000:]}")
    return done.stdout
