"""2,000 uploads that nobody should send: each gets a typed answer, and the server is as good as new afterwards."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.api.test_serving import KEY, Process, serving
from tests.support.hostile_audio import hostile_uploads

UPLOADS = 2000
MOST_GROWTH_BYTES = 400 * 2**20
LONGEST_SECONDS = 30
SETTINGS = {
    "WHISPER_LOG_LEVEL": "error",
    "WHISPER_MAX_UPLOAD_BYTES": str(8 << 20),
    "WHISPER_RATE_TRANSCRIPTIONS": "unlimited",
}


@pytest.fixture
def alone() -> Iterator[Process]:
    """A server in a process of its own: what the suite did before is not in its memory."""
    with serving(**SETTINGS) as process:
        process.wait_until_ready()
        yield process


@pytest.fixture
def client(alone: Process) -> Iterator[httpx.Client]:
    """Somebody who has its key."""
    with httpx.Client(base_url=alone.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60) as opened:
        yield opened


@pytest.mark.slow
def test_hostile_uploads_are_answered_and_leave_nothing_behind(
    alone: Process, client: httpx.Client, clip: Path
) -> None:
    memory = psutil.Process(alone.process.pid).memory_info

    def send(case: tuple[str, bytes]) -> tuple[str, int]:
        name, content = case
        answer = client.post(
            "/v1/audio/transcriptions",
            # One attempt: what survives its mutation is transcribed, and retries would only take time.
            data={"model": "whisper-1", "temperature": "0.01"},
            files={"file": (name, content)},
            timeout=LONGEST_SECONDS,
        )
        if answer.status_code >= 400:
            assert set(answer.json()["error"]) >= {"message", "code", "correlation_id"}, name
        return name, answer.status_code

    send(("warm", clip.read_bytes()))
    before = memory().rss
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, hostile_uploads(UPLOADS, seed=0)))
    statuses = Counter(status for _, status in answers)
    assert len(answers) == UPLOADS
    assert set(statuses) <= {200, 400, 413, 415}, [answer for answer in answers if answer[1] >= 500]
    assert min(statuses[status] for status in (200, 400, 413, 415)) > 0
    assert memory().rss - before < MOST_GROWTH_BYTES
    good = client.post("/v1/audio/transcriptions", data={"model": "whisper-1"}, files={"file": clip.read_bytes()})
    assert good.json()["text"] == "Please fix the fast pump. Anna rice bottle temperature."
