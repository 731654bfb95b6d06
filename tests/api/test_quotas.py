"""Quotas over HTTP: what holds a lease, what is charged, and that no route that takes audio is left out."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import EXAMPLES
from tests.api.test_surface import routes
from tests.support.keys import make_account_key
from tests.support.patience import eventually
from tests.support.running_server import KEY, RunningServer, running_server
from whisper_inference.quotas.quota import Quota
from whisper_inference.routes.admission import Admits
from whisper_inference.routes.v1 import jobs
from whisper_inference.settings import ServerSettings

TRANSCRIPTIONS = "/v1/audio/transcriptions"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, list[str]]]:
    """A server that lets each have one request at once, and keys with eight seconds of audio a day."""
    made = [make_account_key(f"newsroom{number}", quota=Quota(audio_seconds_per_day=8)) for number in range(2)]
    accounts = tmp_path_factory.mktemp("quotas") / "accounts.yaml"
    accounts.write_text("keys:\n" + "".join(entry for _, entry in made))
    settings = ServerSettings(
        model=str(EXAMPLES / "models/demo"),
        device="cpu",
        api_key=KEY,
        accounts_file=accounts,
        concurrent_requests=1,
    )
    with running_server(settings) as server:
        yield server, [key for key, _ in made]


def send(server: RunningServer, audio: bytes, key: str = KEY, **fields: str) -> httpx.Response:
    return httpx.post(
        f"{server.url}{TRANSCRIPTIONS}",
        data={"model": "whisper-1", **fields},
        files={"file": ("x.wav", audio)},
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
    )


def usage(server: RunningServer, key: str = KEY) -> dict[str, Any]:
    answer = httpx.get(f"{server.url}/api/v1/usage", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200
    return dict(answer.json())


def under_way(server: RunningServer) -> int:
    return int(usage(server)["concurrent_requests"]["used"])


def test_a_request_beyond_those_allowed_at_once_is_refused_before_its_audio_is_read(
    strict: tuple[RunningServer, list[str]], clip: Path
) -> None:
    server, (key, _) = strict
    go_on = threading.Event()

    def slow() -> Iterator[bytes]:
        yield b"--b\r\n"
        go_on.wait(60)
        yield b"--b--\r\n"

    headers = server.headers | {"Content-Type": "multipart/form-data; boundary=b"}
    first = threading.Thread(
        target=lambda: httpx.post(f"{server.url}{TRANSCRIPTIONS}", content=slow(), headers=headers, timeout=60)
    )
    first.start()
    try:
        eventually(lambda: under_way(server), lambda found: found == 1)
        refused = send(server, b"no audio, and nobody looks")
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "concurrency_limit_exceeded"
        assert refused.json()["error"]["retry_after"] == int(refused.headers["Retry-After"]) == 1
        assert send(server, clip.read_bytes(), key).status_code == 200, "another credential has its own"
    finally:
        go_on.set()
        first.join()
    assert under_way(server) == 0
    metrics = httpx.get(f"{server.management_url}/metrics").text
    assert 'whisper_rate_limited_total{class="requests"} 1.0' in metrics


def test_audio_is_charged_by_its_length_until_the_day_s_is_used_up(
    strict: tuple[RunningServer, list[str]], clip: Path
) -> None:
    server, (_, key) = strict
    assert send(server, b"RIFF, and then nothing", key).status_code in {400, 415}
    assert usage(server, key)["audio"]["used_seconds"] == 0
    assert [send(server, clip.read_bytes(), key).status_code for _ in range(2)] == [200, 200]
    refused = send(server, clip.read_bytes(), key)
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "quota_exceeded"
    assert 0 < int(refused.headers["Retry-After"]) <= 86_400
    found = usage(server, key)
    assert found["audio"]["limit_seconds"] == 8
    assert 8 < found["audio"]["used_seconds"] < 12
    assert found["audio"]["resets_at"].endswith("T00:00:00Z")
    assert found["concurrent_requests"] == {"used": 0, "limit": 1}
    assert found["rates"]["transcriptions"]["remaining"] == 6000 - 4
    assert usage(server)["audio"]["limit_seconds"] is None
    assert 'whisper_rate_limited_total{class="audio"} 1.0' in httpx.get(f"{server.management_url}/metrics").text


def test_a_streamed_answer_holds_its_lease_until_it_is_sent_or_its_client_leaves(
    strict: tuple[RunningServer, list[str]], long_clip: Path
) -> None:
    server, _ = strict
    audio = long_clip.read_bytes()
    fields = {"model": "whisper-1", "stream": "true", "beam_size": "8"}

    async def read(events: int | None) -> int | None:
        """Read so many events, or all; return how many requests were under way at the first."""
        held = None
        async with httpx.AsyncClient(base_url=server.url, headers=server.headers, timeout=60) as client:
            files = {"file": ("x.flac", audio)}
            async with client.stream("POST", TRANSCRIPTIONS, data=fields, files=files) as answer:
                assert answer.status_code == 200
                seen = 0
                async for line in answer.aiter_lines():
                    if line.startswith("data:"):
                        seen += 1
                        held = (await asyncio.to_thread(under_way, server)) if seen == 1 else held
                        if seen == events:
                            break
        return held

    assert asyncio.run(read(1)) == 1
    eventually(lambda: under_way(server), lambda found: found == 0)
    assert asyncio.run(read(None)) == 1
    eventually(lambda: under_way(server), lambda found: found == 0)


def test_a_client_that_leaves_during_its_upload_gives_its_lease_back_and_is_no_failure(
    strict: tuple[RunningServer, list[str]],
) -> None:
    server, _ = strict
    host, _, port = server.url.removeprefix("http://").partition(":")
    request = (
        f"POST {TRANSCRIPTIONS} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {KEY}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\n--b\r\n"
    )
    with socket.create_connection((host, int(port))) as client:
        client.sendall(request.encode())
        eventually(lambda: under_way(server), lambda found: found == 1)
    eventually(lambda: under_way(server), lambda found: found == 0)
    metrics = httpx.get(f"{server.management_url}/metrics").text
    assert f'whisper_requests_total{{route="{TRANSCRIPTIONS}",status="499"}}' in metrics
    assert f'whisper_requests_total{{route="{TRANSCRIPTIONS}",status="500"}}' not in metrics


def test_every_route_that_takes_uploads_holds_a_lease(server: RunningServer) -> None:
    """Walks the route table: a new route with large bodies and without a lease fails here."""
    limit: Any = next(each for each in server.app.user_middleware if "max_bytes_at" in each.kwargs)
    found = {route.path: [each.call for each in route.dependant.dependencies] for route in routes(server)}
    # A job's audio is counted where it is worked on, and the old names are off here.
    paths = (limit.kwargs["max_bytes_at"].keys() - jobs.UPLOAD_PATHS) & found.keys()
    assert paths
    assert {path for path in paths if not any(isinstance(call, Admits) for call in found[path])} == set()
