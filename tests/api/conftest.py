"""One server with the real demo model, for all tests of the HTTP surface."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import openai
import pytest

from tests.support import planted
from tests.support.keys import make_account_key
from tests.support.redis_server import redis_server
from tests.support.running_server import KEY, RunningServer, running_server
from whisper_inference.security.passwords import Argon2Parameters, hash_password
from whisper_inference.security.rate_limits import UNLIMITED
from whisper_inference.security.roles import Role
from whisper_inference.settings import ServerSettings

PASSWORD = planted.PASSWORD
"""Of every account; each is named after its role."""
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def named_keys() -> dict[str, tuple[str, str]]:
    """A key for each role, and one that has expired, each with its entry for accounts.yaml."""
    now = datetime.now(UTC)
    keys = {role.value: make_account_key(role.value, role) for role in Role}
    return keys | {"expired": make_account_key("expired", Role.ADMIN, timedelta(days=-1), now)}


@pytest.fixture(scope="session")
def server(named_keys: dict[str, tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The demo model behind loopback."""
    accounts = tmp_path_factory.mktemp("credentials") / "accounts.yaml"
    hashed = hash_password(PASSWORD, Argon2Parameters(8192, 1, 1))
    people = "".join(f"- {{name: {role}, role: {role}, password: '{hashed}'}}\n" for role in Role)
    keys = "".join(entry for _, entry in named_keys.values())
    accounts.write_text(f"keys:\n{keys}accounts:\n{people}")
    settings = ServerSettings(
        model=str(EXAMPLES / "models/demo"),
        device="cpu",
        api_key=KEY,
        accounts_file=accounts,
        cache_dir=tmp_path_factory.mktemp("cache"),
        secret_key=planted.SECRET_KEY,
        argon2_memory_kib=8192,
        argon2_passes=1,
        argon2_lanes=1,
        rate_logins=UNLIMITED,
        rate_refusals=UNLIMITED,
        max_upload_bytes=8 << 20,
    )
    with running_server(settings) as running:
        yield running


@pytest.fixture(scope="session")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RunningServer]]:
    """Two servers that share a Redis: streams go on from one to the other."""
    with redis_server(tmp_path_factory.mktemp("redis")) as redis:
        settings = ServerSettings(
            model=str(EXAMPLES / "models/demo"), device="cpu", api_key=KEY, redis_url=redis.address
        )
        with running_server(settings) as one, running_server(settings) as two:
            yield [one, two]


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    """An HTTP client that has the key."""
    with httpx.Client(base_url=server.url, headers=server.headers, timeout=60) as opened:
        yield opened


@pytest.fixture
def named(server: RunningServer, named_keys: dict[str, tuple[str, str]]) -> Iterator[Callable[[str], httpx.Client]]:
    """Clients with the key of a role."""
    opened: list[httpx.Client] = []

    def open_client(role: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {named_keys[role][0]}"}
        opened.append(httpx.Client(base_url=server.url, headers=headers, timeout=60))
        return opened[-1]

    yield open_client
    for client in opened:
        client.close()


@pytest.fixture
def busy(server: RunningServer) -> Iterator[None]:
    """Somebody's audio fills most of the backlog, so jobs must wait."""
    scheduler = server.app.state.server.loaded.scheduler
    with scheduler.admit(1700):
        yield


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


@pytest.fixture
def silence() -> Path:
    """Four seconds in which nobody speaks."""
    return EXAMPLES / "audio/silence_4.wav"
