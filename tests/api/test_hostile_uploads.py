"""2,000 uploads that nobody should send: each gets a typed answer, and the server is as good as new afterwards."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.hostile_audio import hostile_uploads

UPLOADS = 2000
MOST_GROWTH_BYTES = 400 * 2**20
LONGEST_SECONDS = 30


@pytest.mark.slow
def test_hostile_uploads_are_answered_and_leave_nothing_behind(client: httpx.Client, clip: Path) -> None:
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
    before = psutil.Process().memory_info().rss
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, hostile_uploads(UPLOADS, seed=0)))
    statuses = Counter(status for _, status in answers)
    assert len(answers) == UPLOADS
    assert set(statuses) <= {200, 400, 413, 415}, [answer for answer in answers if answer[1] >= 500]
    assert min(statuses[status] for status in (200, 400, 413, 415)) > 0
    assert psutil.Process().memory_info().rss - before < MOST_GROWTH_BYTES
    good = client.post("/v1/audio/transcriptions", data={"model": "whisper-1"}, files={"file": clip.read_bytes()})
    assert good.json()["text"] == "Please fix the fast pump. Anna rice bottle temperature."
