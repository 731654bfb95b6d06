"""Four server processes with one Redis behave as one: sessions, limits, and room."""

import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import repeat
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import PASSWORD
from tests.api.test_serving import KEY, Process, serving, transcribe
from tests.support.keys import make_account_key
from tests.support.patience import eventually
from tests.support.redis_server import RedisServer, redis_server
from tests.support.samples import samples
from whisper_contract.surface import DEVICE_HEADER
from whisper_inference.security.roles import Role

pytestmark = pytest.mark.slow

LIMIT = 400
"""Reads an hour, by credential."""
CAPACITY = "60"
"""Seconds of audio: the long clip fills it."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The Redis of all."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def counted() -> tuple[str, str]:
    """A key that nothing else is done with, and its entry for accounts.yaml."""
    return make_account_key("counted", Role.VIEWER)


@pytest.fixture(scope="module")
def replicas(
    shared: RedisServer, counted: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Process]]:
    """Four processes that know each other."""
    accounts = tmp_path_factory.mktemp("credentials") / "accounts.yaml"
    accounts.write_text(f"keys:\n{counted[1]}")
    variables = {
        "WHISPER_ACCOUNTS_FILE": str(accounts),
        "WHISPER_ADMIN_PASSWORD": PASSWORD,
        "WHISPER_SECRET_KEY": "the-secret-key-of-the-tests-0123456789",
        "WHISPER_REDIS_URL": shared.address,
        "WHISPER_ADVERTISED_HOST": "127.0.0.1",
        "WHISPER_MAX_BACKLOG_SECONDS": CAPACITY,
        "WHISPER_RATE_READS": f"{LIMIT}/hour",
        "WHISPER_ARGON2_MEMORY_KIB": "8192",
        "WHISPER_THREADS": "1",
        "WHISPER_LOG_LEVEL": "warning",
    }
    with ExitStack() as stack:
        started = [stack.enter_context(serving(**variables)) for _ in range(4)]
        for each in started:
            each.wait_until_ready()
        eventually(lambda: [metric(each, "whisper_peers") for each in started], lambda found: found == [3] * 4)
        yield started


def alive(replicas: list[Process]) -> list[Process]:
    """Those that no test has killed: there are three at least."""
    return [each for each in replicas if each.process.poll() is None]


def metric(server: Process, name: str) -> float:
    """A value that a server publishes."""
    (value,) = samples(httpx.get(f"{server.management_url}/metrics", timeout=30).text, name)
    return value


def status(server: Process, token: str) -> int:
    """How a read is answered."""
    return httpx.get(f"{server.url}/v1/models", headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code


def flood(server: Process, clip: Path, *, at_once: int, times: int) -> list[httpx.Response]:
    """Send a clip again and again to one server."""
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(transcribe, repeat(server, times), repeat(clip)))


def test_a_session_opened_at_one_is_used_at_another_and_ended_at_a_third(replicas: list[Process]) -> None:
    one, two, three, *_ = servers = alive(replicas)
    login = {"username": "admin", "password": PASSWORD}
    token = httpx.post(f"{one.url}/api/v1/auth/login", json=login, timeout=30).json()["token"]
    assert status(two, token) == 200
    left = httpx.post(f"{three.url}/api/v1/auth/logout", headers={"Authorization": f"Bearer {token}"}, timeout=30)
    assert left.status_code == 204
    assert {status(each, token) for each in servers} == {401}


def test_a_limit_is_exact_within_five_percent_over_all_of_them_at_once(
    replicas: list[Process], counted: tuple[str, str]
) -> None:
    headers = {"Authorization": f"Bearer {counted[0]}"}

    def ask(server: Process) -> Counter[int]:
        with httpx.Client(base_url=server.url, headers=headers, timeout=60) as client:
            return Counter(client.get("/v1/models").status_code for _ in range(LIMIT // 4))

    with ThreadPoolExecutor(8) as pool:
        answers = sum(pool.map(ask, alive(replicas) * 2), Counter[int]())
    assert answers.keys() == {200, 429}
    assert answers[200] == pytest.approx(LIMIT, rel=0.05)


def test_nobody_is_refused_while_another_has_room_also_when_one_is_killed(
    replicas: list[Process], clip: Path, long_clip: Path
) -> None:
    one, *others = replicas
    wanted = {each: transcribe(one, each).json()["text"] for each in (clip, long_clip)}
    answers = flood(one, long_clip, at_once=3, times=6)
    assert Counter(answer.status_code for answer in answers) == {200: 6}
    assert {answer.json()["text"] for answer in answers} == {wanted[long_clip]}
    assert {answer.headers[DEVICE_HEADER] for answer in answers} == {"cpu"}
    assert sum(metric(each, "whisper_audio_seconds_total") for each in others) > 60, "one did it all"

    with ThreadPoolExecutor(1) as pool:
        before = [metric(each, "whisper_audio_seconds_total") for each in others]

        def helper() -> Process | None:
            heard = zip(others, before, strict=True)
            return next((each for each, most in heard if metric(each, "whisper_audio_seconds_total") > most), None)

        flooded = pool.submit(flood, one, long_clip, at_once=2, times=6)
        helping = eventually(helper, seconds=30)  # of equals any is asked
        assert helping is not None
        helping.process.send_signal(signal.SIGKILL)
        answers = flooded.result()
    assert Counter(answer.status_code for answer in answers) == {200: 6}
    assert {answer.json()["text"] for answer in answers} == {wanted[long_clip]}
    eventually(lambda: metric(one, "whisper_peers"), lambda found: found == 2, seconds=10)
    assert transcribe(one, clip).json()["text"] == wanted[clip]


def test_the_key_of_all_still_opens_each(replicas: list[Process]) -> None:
    assert {status(each, KEY) for each in alive(replicas)} == {200}
