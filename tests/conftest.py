"""What tests share: the demo model, its clips, and property tests that may take their time."""

import logging
import math
from collections.abc import Iterator
from pathlib import PurePath, PurePosixPath

import hypothesis
import pytest
from typing_extensions import override
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests.support.checkpoints import CLIPS, DEMO_MODEL, Clip, read_clips
from tests.support.log_watch import LogWatch, leaks, planted_secrets
from tests.support.widen import widen
from whisper_inference.models.checkpoint import Checkpoint
from whisper_inference.models.loading import load_checkpoint
from whisper_inference.observability.logs import quieten

# A shared machine may stall in the middle of any example: a deadline would test the machine.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="session")
def demo_checkpoint() -> Checkpoint:
    """The demo model."""
    return load_checkpoint(DEMO_MODEL)


@pytest.fixture(scope="session")
def base_checkpoint(demo_checkpoint: Checkpoint) -> Checkpoint:
    """The demo model at Whisper base's size."""
    return widen(demo_checkpoint, "base")


@pytest.fixture(scope="session")
def clips() -> dict[str, Clip]:
    """The repository's recordings by file name."""
    return {clip.name: clip for clip in read_clips(CLIPS)}


@pytest.fixture(scope="session")
def _log_watch() -> Iterator[LogWatch]:
    """Fails at the very end if anything that the suite logged gives away what it must not."""
    watch = LogWatch()
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.INFO)
    quieten()
    yield watch
    root.removeHandler(watch)
    root.setLevel(before)
    assert not list(leaks(watch.lines, planted_secrets()))


@pytest.fixture(autouse=True)
def _watched(_log_watch: LogWatch) -> None:
    """A test that configures logging takes all handlers away: the next one is watched again."""
    root = logging.getLogger()
    if _log_watch not in root.handlers:
        root.addHandler(_log_watch)
        root.setLevel(logging.INFO)


def _needs_kubernetes(file: PurePath) -> bool:
    return file.parent.name in {"cluster", "e2e"}


class _Files(LoadFileScheduling):  # type: ignore[misc] # it has no types
    """Lets files of tests run beside each other, but for those that share Kubernetes' programs, a node, or the wait."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "kubernetes" if _needs_kubernetes(PurePosixPath(file)) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _Files:
    """Say which tests run beside each other."""
    return _Files(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that all others run beside it."""
    items.sort(key=lambda item: not _needs_kubernetes(item.path))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let golden files be written anew, and another cluster be used."""
    parser.addoption("--update-golden", action="store_true", help="write tests/golden anew; read the difference")
    parser.addoption(
        "--cluster",
        choices=["own", "existing"],
        default="own",
        help="where tests/cluster and tests/e2e run: in a cluster of their own, or in the one of KUBECONFIG",
    )
    parser.addoption(
        "--e2e",
        nargs="?",
        const="required",
        choices=["required", "possible"],
        help="run tests/e2e, on a real node; with `possible` they are skipped where no node can be",
    )
    parser.addoption(
        "--e2e-within",
        type=float,
        default=math.inf,
        metavar="SECONDS",
        help="begin no case of tests/e2e later than this, but for the README's way",
    )
    parser.addoption("--image-prefix", default="localhost/", help="of our images in the cluster of KUBECONFIG")
    parser.addoption("--load-image", help="what gives that cluster an image: 'kind load docker-image'")
