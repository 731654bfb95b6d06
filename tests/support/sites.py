"""The clusters that end to end tests run in: a node of their own, or the cluster that a person has."""

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.images import Builder, build_pause, builder_problem, find_builder
from tests.support.kubernetes_programs import CONTROL_PLANE, COREDNS, HELM, NODE, PAUSE, Programs, find_programs
from tests.support.node import PAUSE_IMAGE, Node, missing_programs, node_folder, remove_node
from tests.support.processes import sealing_problem
from tests.support.site import CLIENT_IMAGE, REDIS_IMAGE, Site
from tests.support.stages import Stages

README_PREFIX: Final = "registry.example.org/"
"""What the README's commands call the reader's registry."""
SERVER_IMAGE: Final = "whisper-inference:0.1.0-openvino"
_LOCAL_PREFIX: Final = "localhost/"


class CannotRun(Exception):
    """No end to end test can run here; says what is missing."""


@contextmanager
def own_site(images: str, stages: Stages) -> Iterator[Site]:
    """Yield a node of our own, with our images in it.

    Args:
        images: The README's commands that build them.
        stages: Told what is done.

    Raises:
        CannotRun: Something is missing.
    """
    missing = [each for each in (sealing_problem(), missing_programs(), builder_problem()) if each]
    if missing:
        raise CannotRun(f"a node needs {'; '.join(missing)}. Or take a cluster that is there: --cluster=existing.")
    with stages.stage("find the programs, or build them once"):
        programs = _find(CONTROL_PLANE, NODE, COREDNS, PAUSE, HELM)
    with stages.stage("build the images") as seen:
        builder = find_builder()
        names = build_images(builder, images, _LOCAL_PREFIX)
        build_pause(builder, programs["pause"], PAUSE_IMAGE)
        archives = {name: builder.archive(name) for name in (*names, PAUSE_IMAGE)}
        seen += [f"{name} {archive.stat().st_size / 1e6:.0f} MB" for name, archive in archives.items()]
    with _ended_in_order(), node_folder() as folder:
        with stages.stage("start the node"):
            node = Node(programs, folder)
        try:
            with stages.stage("load the images"):
                for archive in archives.values():
                    node.load(archive)
                node.wait()
            yield Site(node.kubeconfig, _folders(programs), node.command, _LOCAL_PREFIX, folder / "volumes")
        finally:
            with stages.stage("end the node") as seen:
                node.close()
                remove_node(folder)
                seen.append("processes, mounts, network, cgroups and files are gone")


@contextmanager
def existing_site(images: str, stages: Stages, folder: Path, *, prefix: str, load: str | None) -> Iterator[Site]:
    """Yield the cluster of KUBECONFIG; what is made in it is deleted, except for the definition of our resource.

    Args:
        images: The README's commands that build them.
        stages: Told what is done.
        folder: For a copy of the kubeconfig.
        prefix: Of the images' names.
        load: A command that gives the cluster an image by its name; without it the cluster has them.
    """
    programs = _find(CONTROL_PLANE, HELM)
    if load is not None:
        with stages.stage("build the images and load them"):
            for name in build_images(find_builder(), images, prefix):
                subprocess.run([*shlex.split(load), name], check=True)
    kubeconfig = folder / "kubeconfig"
    shutil.copy(os.environ.get("KUBECONFIG") or Path.home() / ".kube/config", kubeconfig)
    site = Site(kubeconfig, _folders(programs), lambda *command: list(command), prefix)
    try:
        yield site
    finally:
        site.shell(f"kubectl delete namespace {site.namespace} whisper-operator --ignore-not-found")


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Take SIGTERM as Ctrl-C: what was made is then taken away again."""

    def end(number: int, _frame: object) -> None:
        raise KeyboardInterrupt(f"signal {number}")

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def build_images(builder: Builder, commands: str, prefix: str) -> list[str]:
    """Build what the README's commands build, and what the tests need beside it; return the images' names."""
    names = []
    for line in commands.splitlines():
        words = shlex.split(line.replace(README_PREFIX, prefix))
        if words[:2] == ["docker", "build"]:
            builder.build(words[2:])
            names.append(words[words.index("-t") + 1])
    client, redis = prefix + CLIENT_IMAGE, prefix + REDIS_IMAGE
    server = f"--build-arg=SERVER={prefix}{SERVER_IMAGE}"
    builder.build([server, "-f", "tests/e2e/client/Dockerfile", "-t", client, "."])
    builder.build(["-f", "tests/e2e/redis/Dockerfile", "-t", redis, "tests/e2e/redis"])
    return [*names, client, redis]


def _find(*wanted: Programs) -> dict[str, Path]:
    return {name: path for programs in wanted for name, path in find_programs(programs).items()}


def _folders(programs: dict[str, Path]) -> Sequence[Path]:
    return [programs[name].parent for name in ("helm", "kubectl")]
