"""What tests share: the demo model, its clips, and property tests that may take their time."""

import hypothesis
import pytest

from tests.support.checkpoints import CLIPS, DEMO_MODEL, Clip, read_clips
from tests.support.widen import widen
from whisper_inference.models.checkpoint import Checkpoint
from whisper_inference.models.loading import load_checkpoint

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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let golden files be written anew, and another cluster be used."""
    parser.addoption("--update-golden", action="store_true", help="write tests/golden anew; read the difference")
    parser.addoption(
        "--cluster",
        choices=["own", "existing"],
        default="own",
        help="where tests/cluster runs: a control plane of its own, or the cluster of KUBECONFIG",
    )
