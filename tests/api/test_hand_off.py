"""A full server lets another one answer; clients cannot tell, and nobody is refused while there is room."""

import base64
import http.client
import json
import socket
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.api.conftest import EXAMPLES
from tests.support.patience import eventually
from tests.support.redis_server import RedisServer, redis_server
from tests.support.running_server import KEY, RunningServer, running_server
from tests.support.samples import samples
from tests.support.speaking import connect
from whisper_contract.surface import DEVICE_HEADER, HANDOFF_HEADER
from whisper_inference.settings import ServerSettings
from whisper_operator.play.ports import free_port

pytestmark = pytest.mark.slow

CAPACITY = 60.0
PATH = "/v1/audio/transcriptions"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The Redis of both."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


def settings(shared: RedisServer, port: int, **fields: Any) -> ServerSettings:  # noqa: ANN401 - settings
    """Of one replica."""
    usual = {
        "model": str(EXAMPLES / "models/demo"),
        "device": "cpu",
        "threads": 1,
        "api_key": KEY,
        "secret_key": "the-secret-key-of-the-tests-0123456789",
        "redis_url": shared.address,
        "advertised_host": "127.0.0.1",
        "port": port,
        "max_backlog_seconds": CAPACITY,
        "legacy": True,
    }
    return ServerSettings.model_validate(usual | fields)


@pytest.fixture(scope="module")
def pair(shared: RedisServer) -> Iterator[tuple[RunningServer, RunningServer]]:
    """Two replicas that know each other."""
    ports = free_port(), free_port()
    with ExitStack() as stack:
        one, two = (stack.enter_context(running_server(settings(shared, port), port=port)) for port in ports)
        eventually(lambda: [metric(server, "whisper_peers") for server in (one, two)], lambda found: found == [1, 1])
        yield one, two


def metric(server: RunningServer, name: str) -> float:
    """A value that a server publishes."""
    (value,) = samples(httpx.get(f"{server.management_url}/metrics").text, name)
    return value


def pending(server: RunningServer) -> float:
    """Audio that a server has yet to work off."""
    return float(server.app.state.server.loaded.scheduler.backlog_seconds)


@contextmanager
def full(*servers: RunningServer) -> Iterator[None]:
    """Nothing more finds room there."""
    with ExitStack() as stack:
        for server in servers:
            stack.enter_context(server.app.state.server.loaded.scheduler.admit(CAPACITY))
        yield


def send(server: RunningServer, clip: Path, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
    """Send a clip."""
    with clip.open("rb") as file, httpx.Client(timeout=60, headers=server.headers) as client:
        data = {"model": "whisper-1"} | fields
        return client.post(f"{server.url}{PATH}", data=data, files={"file": ("x.wav", file)}, headers=headers)


def test_a_full_server_answers_with_the_words_of_another(
    pair: tuple[RunningServer, RunningServer], clip: Path, long_clip: Path
) -> None:
    one, two = pair
    for each in (clip, long_clip):
        direct = send(two, each)
        left = int(send(one, each).headers["RateLimit-Remaining"])
        before = metric(two, "whisper_audio_seconds_total")
        with full(one):
            handed = send(one, each, {"X-Request-Id": "from-afar"})
        assert handed.status_code == 200
        assert handed.json() == direct.json()
        assert handed.headers[DEVICE_HEADER] == "cpu"
        assert handed.headers["X-Request-Id"] == "from-afar"
        assert HANDOFF_HEADER not in handed.headers
        assert int(handed.headers["RateLimit-Remaining"]) == left - 1, "it was counted by both"
        assert metric(two, "whisper_audio_seconds_total") > before


@pytest.mark.parametrize("response_format", ["text", "srt", "vtt", "verbose_json"])
def test_every_format_comes_as_it_is(
    pair: tuple[RunningServer, RunningServer], clip: Path, response_format: str
) -> None:
    one, two = pair
    direct = send(two, clip, response_format=response_format)
    with full(one):
        handed = send(one, clip, response_format=response_format)
    assert (handed.status_code, handed.content) == (direct.status_code, direct.content)
    assert handed.headers["content-type"] == direct.headers["content-type"]


def test_old_names_are_answered_elsewhere_too_and_counted_once(
    pair: tuple[RunningServer, RunningServer], clip: Path
) -> None:
    one, two = pair
    form: dict[str, Any] = {"files": {"audio": ("x.wav", clip.read_bytes())}, "data": {"session_id": "s"}}
    chunk = {"chunk_id": "7", "session_id": "s", "audio_data": base64.b64encode(clip.read_bytes()).decode()}

    def ask(server: RunningServer) -> list[httpx.Response]:
        with httpx.Client(base_url=server.url, timeout=60, headers=server.headers) as client:
            return [client.post("/api/v0/transcribe", **form), client.post("/api/v0/process-chunk", json=chunk)]

    direct = ask(two)
    before = legacy_calls(two)
    with full(one):
        handed = ask(one)
    assert legacy_calls(two) == before
    for near, far in zip(direct, handed, strict=True):
        assert far.status_code == 200
        assert far.json().keys() == near.json().keys()
        assert far.headers[DEVICE_HEADER] == "cpu"
        assert far.headers["Deprecation"] == near.headers["Deprecation"]
    assert handed[0].json()["text"] == direct[0].json()["text"] != ""
    assert handed[1].json()["transcription"]["text"] == direct[1].json()["transcription"]["text"] != ""


def legacy_calls(server: RunningServer) -> list[str]:
    """How often a server says that old names were called."""
    lines = httpx.get(f"{server.management_url}/metrics").text.splitlines()
    return [line for line in lines if line.startswith("whisper_legacy_requests_total")]


def test_events_pass_through_as_they_come(pair: tuple[RunningServer, RunningServer], long_clip: Path) -> None:
    one, two = pair
    direct = send(two, long_clip, stream="true")
    with full(one):
        handed = send(one, long_clip, stream="true")
    assert handed.headers["content-type"].startswith("text/event-stream")
    assert handed.text == direct.text
    assert json.loads(handed.text.strip().splitlines()[-1].removeprefix("data: "))["type"] == "transcript.text.done"


def test_with_no_room_anywhere_the_client_is_refused_as_ever(
    pair: tuple[RunningServer, RunningServer], clip: Path
) -> None:
    with full(*pair):
        refused = send(pair[0], clip)
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "overloaded"
    assert int(refused.headers["Retry-After"]) >= 1


def test_with_no_room_anywhere_nothing_is_read_of_what_is_refused(pair: tuple[RunningServer, RunningServer]) -> None:
    sound = bytes(50_000)
    # A form without a boundary: who reads of it answers with 400.
    head = [f"POST {PATH} HTTP/1.1", "Host: x", f"Content-Length: {len(sound)}", "Content-Type: multipart/form-data"]
    head += [f"{name}: {value}" for name, value in pair[0].headers.items()]

    def answers(times: int) -> list[int]:
        statuses = []
        with socket.create_connection(("127.0.0.1", int(pair[0].url.rpartition(":")[2]))) as client:
            for _ in range(times):
                client.sendall("\r\n".join([*head, "", ""]).encode())
                answer = http.client.HTTPResponse(client)
                answer.begin()
                statuses.append(answer.status)
                answer.read()
                client.sendall(sound)
        return statuses

    with full(*pair):
        eventually(lambda: answers(1), lambda statuses: statuses == [429])  # until it has heard of the other one
        assert answers(2) == [429, 429], "what is refused unread leaves the connection fit for the next"
    with full(pair[0]):  # until it has heard that the other one has room again
        eventually(lambda: answers(1), lambda statuses: statuses == [400])


def test_what_is_wrong_with_a_request_a_full_server_says_itself_or_lets_say(
    pair: tuple[RunningServer, RunningServer], tmp_path: Path
) -> None:
    garbage = tmp_path / "x.wav"
    garbage.write_bytes(b"no audio at all")
    with full(pair[0]):
        # Another test may have filled both: until it has heard that the other one has room again.
        refused = eventually(lambda: send(pair[0], garbage), lambda answer: answer.status_code != 429)
    assert refused.status_code == 415
    assert refused.json()["error"]["code"] == "unsupported_audio_format"


def test_a_client_that_says_it_was_handed_over_is_counted_all_the_same(
    pair: tuple[RunningServer, RunningServer], clip: Path
) -> None:
    one, _ = pair
    left = int(send(one, clip).headers["RateLimit-Remaining"])
    assert int(send(one, clip, {HANDOFF_HEADER: "x"}).headers["RateLimit-Remaining"]) == left - 1
    with full(one):
        assert send(one, clip, {HANDOFF_HEADER: "x"}).status_code == 429, "it may not hop again"


def test_a_client_that_leaves_stops_the_work_elsewhere(
    pair: tuple[RunningServer, RunningServer], clip: Path, tmp_path: Path
) -> None:
    one, two = pair
    longest = tmp_path / "longest.wav"
    repeat(clip, longest, times=50)

    def give_up_soon() -> None:
        form = {"model": "whisper-1", "guard": "false", "beam_size": "5", "temperature": "0"}
        with httpx.Client(timeout=httpx.Timeout(60, read=3), headers=one.headers) as client:
            client.post(f"{one.url}{PATH}", data=form, files={"file": longest.read_bytes()})

    with full(one), ThreadPoolExecutor() as pool:
        asked = pool.submit(give_up_soon)
        eventually(lambda: pending(two), bool)
        assert isinstance(asked.exception(), httpx.ReadTimeout)
        eventually(lambda: pending(two), lambda found: found == 0, seconds=10)
    assert metric(two, "whisper_slots_in_use") == 0


def repeat(clip: Path, longer: Path, times: int) -> None:
    """Write a recording that says the same again and again."""
    with wave.open(str(clip)) as given, wave.open(str(longer), "wb") as written:
        written.setparams(given.getparams())
        written.writeframes(given.readframes(given.getnframes()) * times)


def test_who_stops_leaves_the_board_and_who_is_left_refuses(
    shared: RedisServer, pair: tuple[RunningServer, RunningServer], clip: Path
) -> None:
    one, two = pair
    port = free_port()
    with running_server(settings(shared, port), port=port) as third:
        eventually(lambda: metric(one, "whisper_peers"), lambda found: found == 2)
        with full(one, two), ThreadPoolExecutor() as pool:
            answers = list(pool.map(lambda _: send(one, clip).status_code, range(2)))
            assert answers == [200, 200]
            assert metric(third, "whisper_audio_seconds_total") > 0
    eventually(lambda: metric(one, "whisper_peers"), lambda found: found == 1)
    with full(one, two):
        assert send(one, clip).status_code == 429


def test_replicas_of_another_secret_do_not_meet(shared: RedisServer, pair: tuple[RunningServer, RunningServer]) -> None:
    port = free_port()
    other = settings(shared, port, secret_key="another-secret-key-of-the-tests-98765")
    with running_server(other, port=port) as stranger:
        eventually(lambda: len(shared.client.keys("*:replicas")), lambda found: found == 2)
        assert metric(stranger, "whisper_peers") == 0
        assert metric(pair[0], "whisper_peers") == 1


def test_a_server_without_room_for_a_stream_names_the_one_that_has(pair: tuple[RunningServer, RunningServer]) -> None:
    one, two = pair
    places = one.app.state.server.loaded.streams.places
    free = two.app.state.server.loaded.streams.places.standing().free
    eventually(one.app.state.server.handover.roomiest, lambda found: found is not None and found.free_streams == free)
    with places.take() as told:
        for _ in range(30):
            places.answered(300.0)
        told(1.0)
        with pytest.raises(InvalidStatus) as refused:
            connect(one)
        answer = refused.value.response
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "0")
        assert f"{two.url}, has room for {free}" in json.loads(answer.body)["error"]["message"]
        # The other one is told, and names nobody.
        eventually(two.app.state.server.handover.roomiest, lambda found: found is None)
