"""One server with the real demo model, for all tests of the HTTP surface."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest

from tests.support.running_server import KEY, RunningServer, running_server
from whisper_inference.settings import ServerSettings

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    """The demo model behind loopback."""
    settings = ServerSettings(model=str(EXAMPLES / "models/demo"), device="cpu", api_key=KEY, max_upload_bytes=8 << 20)
    with running_server(settings) as running:
        yield running


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    """An HTTP client that has the key."""
    with httpx.Client(base_url=server.url, headers=server.headers, timeout=60) as opened:
        yield opened


@pytest.fixture
def openai_client(server: RunningServer) -> Iterator[openai.OpenAI]:
    """The official client; it never tries again, so that a test sees the first answer."""
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as opened:
        yield opened


@pytest.fixture
def clip() -> Path:
    """Two sentences, five seconds."""
    return EXAMPLES / "audio/unseen_0.wav"


@pytest.fixture
def long_clip() -> Path:
    """More than two windows."""
    return EXAMPLES / "audio/unseen_long0.flac"
