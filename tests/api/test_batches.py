"""Batches over HTTP: many files in one request, each a job; and whose they are."""

import http.client
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.patience import eventually
from tests.support.running_server import RunningServer

PATH = "/api/v1/batches"
JOBS_PATH = "/api/v1/jobs"
MOST_FILES = 100
"""Of somebody who may have so many unfinished jobs."""

Json = dict[str, Any]


def send(client: httpx.Client, clips: Sequence[Path | tuple[str, bytes]], **fields: str) -> httpx.Response:
    named = [each if isinstance(each, tuple) else (each.name, each.read_bytes()) for each in clips]
    return client.post(PATH, data={"model": "whisper-1", **fields}, files=[("file", each) for each in named])


def taken(answer: httpx.Response) -> Json:
    """Return a batch that must have been taken."""
    assert answer.status_code == 202, answer.text
    batch: Json = answer.json()
    assert answer.headers["Location"] == batch["links"]["self"]
    return batch


def done(client: httpx.Client, batch: Json) -> Json:
    """Wait until a batch is done."""
    return eventually(lambda: client.get(batch["links"]["self"]).json(), lambda found: found["status"] == "done")


def test_each_file_becomes_a_job_whose_result_is_that_of_the_file_alone(
    client: httpx.Client, clip: Path, silence: Path
) -> None:
    batch = taken(send(client, [clip, silence], response_format="text", language="en"))
    assert (batch["status"], batch["progress"], batch["finished_at"]) == ("queued", 0.0, None)
    assert [job["batch"] for job in batch["jobs"]] == [
        {"id": batch["id"], "index": index, "size": 2, "file_name": each.name}
        for index, each in enumerate((clip, silence))
    ]
    assert "dies with it" in batch["notice"]
    ended = done(client, batch)
    assert (ended["progress"], ended["counts"]["succeeded"], ended["counts"]["total"]) == (1.0, 2, 2)
    assert ended["finished_at"] == max(job["finished_at"] for job in ended["jobs"])
    said = [client.get(job["links"]["result"]).text for job in ended["jobs"]]
    alone = [
        client.post(
            "/v1/audio/transcriptions",
            data={"model": "whisper-1", "response_format": "text", "language": "en"},
            files={"file": ("x", each.read_bytes())},
        ).text
        for each in (clip, silence)
    ]
    assert said == alone


def test_a_job_of_a_batch_is_like_every_other_one(client: httpx.Client, clip: Path) -> None:
    batch = taken(send(client, [clip, clip]))
    first, second = batch["jobs"]
    listed = client.get(JOBS_PATH, params={"limit": 2}).json()["data"]
    assert [job["id"] for job in listed] == [second["id"], first["id"]]
    done(client, batch)
    assert client.get(first["links"]["self"]).json()["batch"]["id"] == batch["id"]
    assert client.delete(first["links"]["self"]).status_code == 204
    rest = client.get(batch["links"]["self"]).json()
    assert [job["id"] for job in rest["jobs"]] == [second["id"]]
    assert (rest["status"], rest["counts"]["forgotten"], rest["counts"]["total"]) == ("done", 1, 2)


def test_one_that_fails_leaves_the_others_alone(client: httpx.Client, clip: Path, long_clip: Path) -> None:
    broken = long_clip.read_bytes()[:5000].ljust(50_000, b"\0")
    ended = done(client, taken(send(client, [("broken.flac", broken), clip])))
    assert [job["status"] for job in ended["jobs"]] == ["failed", "succeeded"]
    assert ended["jobs"][0]["error"]["code"] == "unreadable_audio"
    assert (ended["counts"]["failed"], ended["counts"]["succeeded"]) == (1, 1)


@pytest.mark.parametrize(
    ("bad", "fields", "status", "param"),
    [
        (("notes.txt", b"nothing to hear " * 100), {}, 415, "file[1]"),
        (("x" * 300, b""), {}, 400, "file[1]"),
        (None, {"stream": "true"}, 400, "stream"),
        (None, {"colour": "blue"}, 400, "colour"),
        (None, {"model": "other"}, 404, "model"),
        (None, {"webhook_url": "https://hooks.example.org/"}, 400, "webhook_url"),
    ],
)
def test_where_anything_is_refused_nothing_is_taken(
    named: Callable[[str], httpx.Client],
    clip: Path,
    bad: tuple[str, bytes] | None,
    fields: dict[str, str],
    status: int,
    param: str,
) -> None:
    client = named("transcriber")
    before = client.get(JOBS_PATH).json()["data"]
    answer = send(client, [clip, clip if bad is None else bad], **fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
    assert [job["id"] for job in client.get(JOBS_PATH).json()["data"]] == [job["id"] for job in before]


def test_a_batch_without_files_or_with_too_many_is_refused(client: httpx.Client) -> None:
    none = client.post(PATH, data={"model": "whisper-1"}, files={"": ("", b"")})
    assert (none.status_code, none.json()["error"]["code"]) == (400, "invalid_value")
    too_many = send(client, [("x", b"")] * (MOST_FILES + 1))
    assert too_many.status_code == 400
    assert f"is {MOST_FILES}" in too_many.json()["error"]["message"]
    no_form = client.post(PATH, json={})
    assert (no_form.status_code, no_form.json()["error"]["param"]) == (400, "file")


def test_the_files_of_a_batch_together_are_one_upload(server: RunningServer) -> None:
    """It is refused before it is read."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=60)
    connection.putrequest("POST", PATH)
    connection.putheader("Authorization", server.headers["Authorization"])
    connection.putheader("Content-Type", "multipart/form-data; boundary=b")
    connection.putheader("Content-Length", str(513 * 2**20))
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, b"upload_too_large" in answer.read()) == (413, True)
    connection.close()


@pytest.mark.parametrize(
    "identity",
    ["nothing", "batch_" + "0" * 28, "batch_" + "0" * 27 + "\N{DIGIT ONE}g", "job_" + "0" * 32, "..%2F..%2Fetc"],
)
def test_a_batch_that_is_not_there_is_not_found(client: httpx.Client, identity: str) -> None:
    for answer in (client.get(f"{PATH}/{identity}"), client.delete(f"{PATH}/{identity}")):
        assert answer.status_code == 404


def test_a_batch_is_its_owner_s_and_an_admin_sees_all(named: Callable[[str], httpx.Client], clip: Path) -> None:
    owner, other, admin = named("transcriber"), named("viewer"), named("admin")
    assert send(other, [clip]).status_code == 403
    link = taken(send(owner, [clip]))["links"]["self"]
    refused = other.get(link)
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "batch_not_found")
    assert other.delete(link).status_code == 403
    for client in (owner, admin):
        assert client.get(link).json()["owner"] == "transcriber"


@pytest.mark.usefixtures("busy")
def test_what_is_left_of_a_batch_can_be_cancelled_and_then_forgotten(
    client: httpx.Client, server: RunningServer, clip: Path
) -> None:
    batch = taken(send(client, [clip] * 3))
    link = batch["links"]["self"]
    running = eventually(lambda: client.get(link).json(), lambda found: found["status"] == "running")
    assert running["counts"]["queued"] >= 1
    client.delete(batch["jobs"][2]["links"]["self"])
    cancelled = client.delete(link)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "done")
    assert cancelled.json()["counts"]["cancelled"] == 3
    acts = {"action": "job-cancel", "limit": "5"}
    eventually(
        lambda: batch["id"] in {act["subject"] for act in client.get("/api/v1/audit", params=acts).json()["events"]}
    )
    gone = client.delete(link)
    assert (gone.status_code, gone.content) == (204, b"")
    assert client.get(link).status_code == 404
    assert {client.get(job["links"]["self"]).status_code for job in batch["jobs"]} == {404}
    eventually(lambda: "whisper_jobs_running 0.0" in httpx.get(f"{server.management_url}/metrics").text)
