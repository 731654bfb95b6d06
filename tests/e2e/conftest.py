"""One cluster with a node for all tests of this folder, with our images and our chart; run only when asked for."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
import pytest

from scripts.readme_commands import find_commands
from tests.support.kubernetes_programs import NoControlPlane
from tests.support.site import Site
from tests.support.sites import README_PREFIX, CannotRun, existing_site, own_site
from tests.support.stages import Stages

_OPERATOR: Final = "whisper-operator"
"""Name of the release and of its namespace, in the README."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave these tests out unless they are asked for: they take minutes, root, and a node's programs.

    They run in their own order, the README's way first, after those that need a control plane alone.
    """
    ours = [item for item in items if item.get_closest_marker("e2e")]
    if config.getoption("--e2e") is None:
        for item in ours:
            item.add_marker(pytest.mark.skip(reason="needs a node: `make e2e`, or pytest --e2e"))
    in_order = sorted(ours, key=lambda item: (not _is_readme_s_way(item), item.location[:2]))
    items[:] = [item for item in items if item not in set(ours)] + in_order


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Leave out what would begin too late, or lacks its programs."""
    seconds = time.time() - psutil.Process().create_time()
    if seconds > item.config.getoption("--e2e-within") and not _is_readme_s_way(item):
        why = f"no time is left for it after {seconds:.0f} s, as --e2e-within says: `make e2e` takes its time"
        # Skipped here, before pytest's own setup, its teardown would fail.
        item.add_marker(pytest.mark.skip(reason=why))
    with _leaving_out(item):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Leave out what lacks its programs."""
    with _leaving_out(item):
        yield


@contextmanager
def _leaving_out(item: pytest.Item) -> Iterator[None]:
    try:
        yield
    except NoControlPlane as problem:
        if item.config.getoption("--e2e") == "required":
            raise
        pytest.skip(f"{problem}: `make e2e` builds what is missing")


def _is_readme_s_way(item: pytest.Item) -> bool:
    return item.path.name in {"test_quickstart.py", "test_images.py"}


@pytest.fixture(scope="session")
def stages() -> Stages:
    """What is printed to a person who waits."""
    return Stages()


@pytest.fixture(scope="session")
def readme() -> dict[str, str]:
    """The README's commands, by name: what a reader types is what runs here."""
    return find_commands(Path("README.md").read_text())


@pytest.fixture(scope="session")
def site(
    request: pytest.FixtureRequest, stages: Stages, readme: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The cluster, with our images in it."""
    option = request.config.getoption
    if option("--cluster") == "existing":
        images = {"prefix": option("--image-prefix"), "load": option("--load-image")}
        cluster = existing_site(readme["images"], stages, tmp_path_factory.mktemp("site"), **images)
    else:
        cluster = own_site(readme["images"], stages)
    try:
        with cluster as site:
            site.open()
            yield site
    except (CannotRun, NoControlPlane) as problem:
        if option("--e2e") != "required":
            pytest.skip(f"no node: {problem}")
        pytest.exit(f"The end to end tests cannot run here: {problem}", returncode=3)


@pytest.fixture
def own_node(request: pytest.FixtureRequest) -> None:
    """A node whose processes are this machine's, and that nobody else has pods on."""
    if request.config.getoption("--cluster") == "existing":
        pytest.skip("it would kill programs of your node, or cordon it")


@pytest.fixture(scope="session")
def installed(site: Site, stages: Stages, readme: dict[str, str]) -> Iterator[Site]:
    """The cluster with our chart installed and the quickstart applied, as the README says."""
    with stages.stage("helm install, kubectl apply") as seen:
        said = site.shell(readme["kubernetes"].replace(README_PREFIX, site.image_prefix))
        assert "STATUS: deployed" in said
        site.shell(f"kubectl wait --for=condition=Available --timeout=5m -n {_OPERATOR} deployment --all")
        seen.append("the operator is available")
    yield site
    with stages.stage("kubectl delete, helm uninstall"):
        site.shell("kubectl delete wd --all && kubectl wait --for=delete pod --all --timeout=3m")
        site.shell(f"helm uninstall -n {_OPERATOR} {_OPERATOR} --wait")


@pytest.fixture(scope="session")
def quickstart(installed: Site, stages: Stages, readme: dict[str, str]) -> Site:
    """The cluster once the quickstart serves."""
    with stages.stage("the quickstart becomes Available") as seen:
        installed.shell(readme["wait"])
        seen.append(installed.shell("kubectl get wd demo --no-headers").strip())
    return installed
