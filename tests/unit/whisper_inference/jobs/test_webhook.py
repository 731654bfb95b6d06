"""What a webhook says, with what it is signed, and when it is tried again."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.support.jobs import allowed, new_job
from whisper_inference.errors import InvalidSettings
from whisper_inference.jobs.batch import gather
from whisper_inference.jobs.job import Job, JobWebhook, WebhookStatus
from whisper_inference.jobs.webhook import MOST_TRIES, build_message, pause_after, sign, webhook_secret

SECRET = b"0123456789abcdef0123456789abcdef"
LINKS = {"self": "/api/v1/jobs/x", "result": "/api/v1/jobs/x/result"}


def cancelled() -> Job:
    job = new_job().model_copy(update={"webhook": JobWebhook(url="https://a.example/")})
    return allowed(job.cancelled(100.0))


def test_a_receiver_verifies_a_message_with_the_library_of_the_format() -> None:
    now = datetime.now(UTC)
    job = cancelled()
    message = build_message(job, LINKS, now)
    headers = sign(job, message, SECRET, now)
    told = Webhook(f"whsec_{base64.b64encode(SECRET).decode()}").verify(message, headers)
    assert told == {
        "type": "job.cancelled",
        "timestamp": now.isoformat(),
        "data": {"id": job.id, "status": "cancelled", "links": LINKS},
    }
    assert sign(job, message, SECRET, now)["webhook-id"] == headers["webhook-id"] == f"msg_{job.id}"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(message + b" ", headers)


def test_a_message_says_nothing_of_the_text() -> None:
    assert set(json.loads(build_message(cancelled(), LINKS, datetime.now(UTC)))["data"]) == {"id", "status", "links"}


def test_a_message_names_the_batch_and_not_the_file() -> None:
    batch = gather([cancelled()], ["secret plans.mp3"], 1.0)
    message = build_message(batch.jobs[0], LINKS, datetime.now(UTC))
    assert json.loads(message)["data"]["batch"] == batch.id
    assert b"plans" not in message


def test_the_secret_is_what_is_given_or_follows_from_the_secret_key() -> None:
    given = f"whsec_{base64.b64encode(SECRET).decode()}"
    assert webhook_secret(given, "the secret key") == SECRET
    derived = hmac.digest(b"the secret key", b"whisper.webhook", hashlib.sha256)
    assert webhook_secret(None, "the secret key") == derived
    assert webhook_secret(None, None) is None


@pytest.mark.parametrize("given", ["", "secret", "whsec_", "whsec_short", "whsec_***", SECRET.decode()])
def test_a_secret_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(InvalidSettings, match="whsec_"):
        webhook_secret(given, None)


def test_pauses_grow_and_differ_and_end_within_a_day() -> None:
    assert pause_after(1, 0.0) == 2.5
    assert pause_after(1, 1.0) == 5.0
    assert pause_after(2, 1.0) == 20.0
    assert sum(pause_after(tries, 1.0) for tries in range(1, MOST_TRIES)) < 24 * 3600


def test_one_at_a_time_calls_a_webhook_and_the_last_word_counts() -> None:
    over = cancelled()
    assert over.webhook is not None
    assert (over.webhook.status, over.wake) == (WebhookStatus.PENDING, 100.0)
    assert over.calling(99.0, 30.0) is None
    first = allowed(over.calling(100.0, 30.0))
    assert first.calling(101.0, 30.0) is None
    second = allowed(first.calling(130.0, 30.0))
    assert second.called(1, None, None) is None, "its caller was taken for dead"
    again = allowed(second.called(2, "status 500", 150.0))
    assert again.webhook is not None
    assert (again.webhook.status, again.webhook.tries) == (WebhookStatus.PENDING, 2)
    assert again.webhook.problem == "status 500"
    assert again.wake == 150.0
    failed = allowed(allowed(again.calling(150.0, 30.0)).called(3, "status 500", None))
    assert failed.webhook is not None
    assert (failed.webhook.status, failed.wake) == (WebhookStatus.FAILED, None)
    done = allowed(allowed(again.calling(150.0, 30.0)).called(3, None, None))
    assert done.webhook is not None
    assert (done.webhook.status, done.webhook.problem, done.wake) == (WebhookStatus.DELIVERED, None, None)
    assert done.calling(999.0, 30.0) is None
    assert new_job().calling(999.0, 30.0) is None
