"""What happens to servers and their Redis while somebody speaks: no word that was promised is lost or told twice."""

import asyncio
import signal
from collections.abc import Iterator

import httpx
import pytest

from tests.api.conftest import EXAMPLES
from tests.api.test_serving import serving
from tests.support.patience import eventually
from tests.support.redis_server import RedisServer
from tests.support.redis_server import redis_server as running_redis
from tests.support.running_server import KEY, RunningServer, running_server
from tests.support.speaking import pcm, say_the_same
from tests.support.switchboard import Switchboard
from tests.support.talking import hear, spoken, takes_nothing_back, told_ids, told_text
from whisper_inference.settings import ServerSettings
from whisper_inference.streaming.client import StreamClient
from whisper_inference.streaming.protocol import Ready

pytestmark = pytest.mark.slow

BYTES_PER_SECOND = 32_000


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The Redis of all."""
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def replicas(redis_server: RedisServer) -> Iterator[list[RunningServer]]:
    """Two that no test kills."""
    settings = ServerSettings(
        model=str(EXAMPLES / "models/demo"),
        device="cpu",
        threads=1,
        api_key=KEY,
        redis_url=redis_server.address,
        stream_measured=False,
    )
    with running_server(settings) as one, running_server(settings) as two:
        yield [one, two]


@pytest.fixture(scope="module")
def variables(redis_server: RedisServer) -> dict[str, str]:
    """The environment of one that a test does kill."""
    return {
        "WHISPER_API_KEY": KEY,
        "WHISPER_REDIS_URL": redis_server.address,
        "WHISPER_THREADS": "1",
        "WHISPER_STREAM_MEASURED": "false",
        "WHISPER_LOG_LEVEL": "warning",
    }


@pytest.fixture(scope="module")
def sound() -> bytes:
    """Ten seconds with a pause in them."""
    return pcm(EXAMPLES / "audio/unseen_0.wav") + b"\0" * BYTES_PER_SECOND + pcm(EXAMPLES / "audio/unseen_1.wav")


@pytest.fixture(scope="module")
def expected(replicas: list[RunningServer], sound: bytes) -> str:
    """The text of a stream that nothing happens to."""
    return told_text(asyncio.run(hear(StreamClient(replicas[0].url, KEY), spoken(sound))))


def test_a_replica_that_is_killed_in_mid_sentence_loses_and_doubles_no_word(
    replicas: list[RunningServer], variables: dict[str, str], sound: bytes, expected: str
) -> None:
    with serving(key=None, **variables) as doomed, Switchboard(doomed.url) as switchboard:
        doomed.wait_until_ready()

        def kill() -> None:
            doomed.process.kill()
            doomed.process.wait()
            switchboard.switch(replicas[1].url)

        heard = asyncio.run(hear(StreamClient(switchboard.url, KEY), spoken(sound, {85: kill})))
        assert switchboard.connections >= 2
    assert say_the_same(told_text(heard), expected)
    assert takes_nothing_back(heard)
    assert told_ids(heard) == list(range(len(told_ids(heard))))
    assert sum(isinstance(each, Ready) for each in heard) == 1


def test_a_stream_outlives_its_redis_and_can_be_resumed_once_that_is_back(
    replicas: list[RunningServer], redis_server: RedisServer, sound: bytes, expected: str
) -> None:
    def up(value: str) -> None:
        metrics = f"{replicas[0].management_url}/metrics"
        eventually(lambda: f"whisper_session_store_up {value}" in httpx.get(metrics).text)

    def take_redis_away() -> None:
        redis_server.stop()

    def bring_redis_back() -> None:
        up("0.0")
        redis_server.start()
        up("1.0")

    with Switchboard(replicas[0].url) as switchboard:

        def lose_the_connection() -> None:
            switchboard.switch(replicas[1].url)
            switchboard.cut()

        moments = {20: take_redis_away, 60: bring_redis_back, 100: lose_the_connection}
        heard = asyncio.run(hear(StreamClient(switchboard.url, KEY), spoken(sound, moments)))
        assert switchboard.connections >= 2
    assert say_the_same(told_text(heard), expected)
    assert takes_nothing_back(heard)
    assert told_ids(heard) == list(range(len(told_ids(heard))))


def test_a_replica_that_is_replaced_loses_none_of_its_streams(
    replicas: list[RunningServer], variables: dict[str, str], sound: bytes, expected: str
) -> None:
    """`make bench-stream` does it to each of four, while a hundred speak."""
    streams = 6
    with serving(key=None, **variables) as old, Switchboard(old.url) as switchboard:
        old.wait_until_ready()

        def replace() -> None:
            switchboard.switch(replicas[1].url)
            old.process.send_signal(signal.SIGTERM)

        async def speak_all() -> list[str]:
            client = StreamClient(switchboard.url, KEY)
            moments = [{40: replace}, *[None] * (streams - 1)]
            heard = await asyncio.gather(*(hear(client, spoken(sound, each, pause=0.05)) for each in moments))
            assert [told_ids(each) for each in heard] == [list(range(len(told_ids(each)))) for each in heard]
            return [told_text(each) for each in heard]

        texts = asyncio.run(speak_all())
        assert old.process.wait(60) == 0
        assert switchboard.connections >= 2 * streams
    assert all(say_the_same(text, expected) for text in texts)
