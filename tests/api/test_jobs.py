"""Jobs over HTTP: taken in, worked off, read, cancelled; and whose they are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from tests.api.conftest import EXAMPLES
from tests.support.patience import eventually
from tests.support.receiver import receiver
from tests.support.running_server import KEY, RunningServer, running_server
from whisper_inference.settings import ServerSettings

PATH = "/api/v1/jobs"
WEBHOOK_SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
FORMATS = {
    "json": "application/json",
    "verbose_json": "application/json",
    "text": "text/plain; charset=utf-8",
    "srt": "text/plain; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
}


def send(client: httpx.Client, clip: Path, **fields: str) -> httpx.Response:
    files = {"file": ("x", clip.read_bytes())}
    return client.post(PATH, data={"model": "whisper-1", **fields}, files=files)


def over(client: httpx.Client, link: str) -> dict[str, Any]:
    """Wait until a job is over."""
    return eventually(lambda: client.get(link).json(), lambda job: job["finished_at"] is not None)


@pytest.mark.parametrize("response_format", FORMATS)
def test_a_job_s_result_is_what_a_request_would_have_answered(
    client: httpx.Client, clip: Path, response_format: str
) -> None:
    taken = send(client, clip, response_format=response_format, language="en")
    assert taken.status_code == 202
    job = taken.json()
    assert job["status"] == "queued"
    assert job["links"]["self"] == taken.headers["Location"]
    assert job["durable"] is False
    assert "dies with it" in job["notice"]
    done = over(client, job["links"]["self"])
    assert (done["status"], done["progress"], done["error"]) == ("succeeded", 1.0, None)
    result = client.get(job["links"]["result"])
    assert result.headers["Content-Type"] == FORMATS[response_format]
    assert result.headers["Cache-Control"] == "no-store"
    at_once = client.post(
        "/v1/audio/transcriptions",
        data={"model": "whisper-1", "response_format": response_format, "language": "en"},
        files={"file": ("x", clip.read_bytes())},
    )
    assert said(result) == said(at_once)


def said(answer: httpx.Response) -> Any:  # noqa: ANN401 - JSON
    """What a result says, without log-probabilities: their last digits depend on who shares the batch."""
    if not answer.headers["Content-Type"].startswith("application/json"):
        return answer.text
    body = answer.json()
    segments = [(each["start"], each["end"], each["text"], each["tokens"]) for each in body.pop("segments", ())]
    return body, segments


def test_a_job_translates_where_it_is_asked_to(client: httpx.Client, clip: Path) -> None:
    job = send(client, clip, task="translate", response_format="verbose_json").json()
    assert over(client, job["links"]["self"])["status"] == "succeeded"
    assert client.get(job["links"]["result"]).json()["task"] == "translate"


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"stream": "true"}, 400, "stream"),
        ({"task": "sing"}, 400, "task"),
        ({"colour": "blue"}, 400, "colour"),
        ({"model": "other"}, 404, "model"),
        ({"beam_size": "99"}, 400, "beam_size"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(
    client: httpx.Client, clip: Path, fields: dict[str, str], status: int, param: str
) -> None:
    answer = send(client, clip, **fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


def test_what_is_no_audio_is_refused_at_once(client: httpx.Client, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("nothing to hear " * 100)
    assert send(client, text).status_code == 415


def test_a_recording_that_breaks_off_makes_a_job_that_fails(client: httpx.Client, tmp_path: Path) -> None:
    whole = (EXAMPLES / "audio/unseen_long0.flac").read_bytes()
    broken = tmp_path / "broken.flac"
    broken.write_bytes(whole[:5000] + b"\0" * len(whole[5000:]))
    job = send(client, broken).json()
    done = over(client, job["links"]["self"])
    assert done["status"] == "failed"
    assert done["error"]["code"] == "unreadable_audio"
    refused = client.get(job["links"]["result"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "job_without_result")


@pytest.mark.parametrize(
    "identity", ["nothing", "job_" + "0" * 32, "job_" + "0" * 31 + "\N{DIGIT ONE}", "..%2F..%2Fetc"]
)
def test_a_job_that_is_not_there_is_not_found(client: httpx.Client, identity: str) -> None:
    """So it is after a restart without Redis, too."""
    for answer in (
        client.get(f"{PATH}/{identity}"),
        client.get(f"{PATH}/{identity}/result"),
        client.delete(f"{PATH}/{identity}"),
    ):
        assert answer.status_code == 404
    assert client.get(f"{PATH}/job_{'0' * 32}").json()["error"]["code"] == "job_not_found"


def test_a_job_is_its_owner_s_and_an_admin_sees_all(named: Callable[[str], httpx.Client], clip: Path) -> None:
    owner, other, admin = named("transcriber"), named("viewer"), named("admin")
    job = send(owner, clip).json()
    for link in job["links"].values():
        assert other.get(link).status_code == 404
    assert other.delete(job["links"]["self"]).status_code == 403
    assert job["id"] not in {each["id"] for each in other.get(PATH).json()["data"]}
    for client in (owner, admin):
        assert client.get(PATH).json()["data"][0]["id"] == job["id"]
        assert client.get(job["links"]["self"]).json()["owner"] == "transcriber"


def test_the_list_goes_page_by_page_from_the_newest(named: Callable[[str], httpx.Client], clip: Path) -> None:
    client = named("transcriber")
    sent = [send(client, clip).json()["id"] for _ in range(3)]
    first = client.get(PATH, params={"limit": 2}).json()
    assert [job["id"] for job in first["data"]] == [sent[2], sent[1]]
    second = client.get(PATH, params={"limit": 2, "before": first["next"]}).json()
    assert second["data"][0]["id"] == sent[0]
    assert client.get(PATH, params={"limit": 100}).json()["next"] is None
    for wrong in ({"limit": 0}, {"limit": 101}, {"before": "x"}):
        assert client.get(PATH, params=wrong).status_code == 422


def test_a_finished_job_can_be_forgotten(client: httpx.Client, clip: Path) -> None:
    job = send(client, clip).json()
    over(client, job["links"]["self"])
    gone = client.delete(job["links"]["self"])
    assert (gone.status_code, gone.content) == (204, b"")
    assert client.get(job["links"]["result"]).status_code == 404
    assert client.delete(job["links"]["self"]).status_code == 404


@pytest.mark.usefixtures("busy")
def test_jobs_wait_while_people_fill_the_server_and_can_be_cancelled_then(
    client: httpx.Client, server: RunningServer, clip: Path
) -> None:
    jobs = [send(client, clip).json() for _ in range(3)]
    eventually(lambda: client.get(jobs[1]["links"]["self"]).json()["status"], lambda status: status == "running")
    assert client.get(jobs[2]["links"]["self"]).json()["status"] == "queued"
    early = client.get(jobs[2]["links"]["result"])
    assert (early.status_code, early.json()["error"]["code"]) == (409, "job_not_finished")
    at_once = client.post(
        "/v1/audio/transcriptions", data={"model": "whisper-1"}, files={"file": ("x", clip.read_bytes())}
    )
    assert at_once.status_code == 200
    for job in jobs:
        cancelled = client.delete(job["links"]["self"])
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    metrics = httpx.get(f"{server.management_url}/metrics").text
    assert 'whisper_jobs_total{status="cancelled"}' in metrics
    assert client.get(jobs[0]["links"]["result"]).json()["error"]["code"] == "job_without_result"
    eventually(
        lambda: "whisper_jobs_running 0.0" in httpx.get(f"{server.management_url}/metrics").text,
    )


def test_without_destinations_a_webhook_is_refused_with_a_sentence(client: httpx.Client, clip: Path) -> None:
    answer = send(client, clip, webhook_url="https://hooks.example.org/")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "unsupported_field"
    assert answer.json()["error"]["param"] == "webhook_url"


def test_a_webhook_tells_of_the_end_of_a_job_signed_and_again_after_a_failure(clip: Path) -> None:
    with receiver(500, 204) as kept:
        settings = ServerSettings(
            model=str(EXAMPLES / "models/demo"),
            device="cpu",
            api_key=KEY,
            webhook_secret=WEBHOOK_SECRET,
            webhook_destinations=(f"localhost:{kept.port}",),
            webhook_networks=("127.0.0.0/8", "::1/128"),
            webhook_plain_http=True,
        )
        with (
            running_server(settings) as server,
            httpx.Client(base_url=server.url, headers=server.headers, timeout=60) as client,
        ):
            refused = send(client, clip, webhook_url="https://elsewhere.example/")
            assert (refused.status_code, refused.json()["error"]["param"]) == (400, "webhook_url")
            job = send(client, clip, webhook_url=f"http://localhost:{kept.port}/hook").json()
            assert job["webhook"]["status"] == "waiting"
            link = job["links"]["self"]
            told = eventually(lambda: client.get(link).json()["webhook"], lambda each: each["status"] == "delivered")
            assert (told["tries"], told["problem"]) == (2, None)
            metrics = httpx.get(f"{server.management_url}/metrics").text
            assert 'whisper_webhook_deliveries_total{outcome="retried"} 1.0' in metrics
        assert len(kept.received) == 2
        for path, headers, body in kept.received:
            message = Webhook(WEBHOOK_SECRET).verify(body, headers)
            assert path == "/hook"
            assert message["type"] == "job.succeeded"
            assert message["data"] == {"id": job["id"], "status": "succeeded", "links": job["links"]}
