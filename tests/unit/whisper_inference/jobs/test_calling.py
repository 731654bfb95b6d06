"""Calling webhooks for real, on loopback; and what becomes of a job's webhook."""

import asyncio
import io
import ssl
import time
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import trustme

from tests.support.audio_samples import BY_NAME, encode, tone
from tests.support.receiver import Receiver, receiver
from whisper_inference.audio.decoding import AudioLimits
from whisper_inference.errors import InvalidRequest, UnsupportedField
from whisper_inference.formats import Rendering
from whisper_inference.jobs.calling import Caller
from whisper_inference.jobs.destinations import Destination, DestinationRules
from whisper_inference.jobs.job import Job, JobOrder, JobWebhook, WebhookStatus
from whisper_inference.jobs.memory import MemoryJobStore
from whisper_inference.jobs.queue import JobPolicy, JobQueue, Sender
from whisper_inference.jobs.store import Room
from whisper_inference.jobs.telling import Teller
from whisper_inference.jobs.webhook import MOST_TRIES
from whisper_inference.quotas.quota import Consumer
from whisper_inference.transcription import TranscriptionOptions
from whisper_operator.play.ports import free_port

LOOPBACK = ["127.0.0.0/8", "::1/128"]
SOUND = encode(tone(0.5, 16_000), BY_NAME["wav_16k"])
SECRET = b"0123456789abcdef0123456789abcdef"


def call(destination: Destination, networks: list[str], context: ssl.SSLContext | None = None) -> str | None:
    """Call once."""

    async def whole() -> str | None:
        caller = Caller(DestinationRules.of(["localhost"], networks, plain_http=True), context)
        try:
            return await caller.call(destination, b"{}", {"webhook-id": "msg_1"})
        finally:
            await caller.close()

    return asyncio.run(whole())


def plain(kept: Receiver) -> Destination:
    return Destination("http", "localhost", kept.port, "/hook?x=1")


def test_a_message_arrives_with_its_headers_and_the_name_of_the_host() -> None:
    with receiver() as kept:
        assert call(plain(kept), LOOPBACK) is None
        path, headers, body = kept.received[0]
    assert (path, body) == ("/hook?x=1", b"{}")
    assert headers["host"] == f"localhost:{kept.port}"
    assert headers["webhook-id"] == "msg_1"
    assert headers["content-type"] == "application/json"


def test_over_tls_the_certificate_of_the_name_is_asked_for_and_checked() -> None:
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)
    with receiver(context=server) as kept:
        destination = Destination("https", "localhost", kept.port, "/")
        assert call(destination, LOOPBACK, client) is None
        assert kept.names == ["localhost"]
        assert call(destination, LOOPBACK) == "no connection", "nobody vouches for it"
    wrong = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example").configure_cert(wrong)
    with receiver(context=wrong) as kept:
        assert call(Destination("https", "localhost", kept.port, "/"), LOOPBACK, client) == "no connection"
        assert kept.received == []


@pytest.mark.parametrize("status", [302, 307, 404, 500])
def test_other_answers_are_no_delivery_and_redirects_are_not_followed(status: int) -> None:
    with receiver(status) as kept:
        assert call(plain(kept), LOOPBACK) == f"status {status}"
        assert len(kept.received) == 1


def test_an_address_that_is_not_allowed_is_not_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as kept:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{kept.port}")
        assert call(plain(kept), []) == "the address is not allowed"
        assert kept.received == []


def test_nobody_there_is_said_so() -> None:
    assert call(Destination("http", "localhost", free_port(), "/"), LOOPBACK) == "no connection"
    assert call(Destination("http", "nowhere.invalid", 80, "/"), LOOPBACK) == "the name has no address"


@dataclass
class Told:
    """What the teller tells."""

    outcomes: list[str] = field(default_factory=list)

    def webhook_called(self, outcome: str) -> None:
        """Take it in."""
        self.outcomes.append(outcome)


@dataclass
class Office:
    """A queue with rules, and jobs in it that were cancelled."""

    rules: DestinationRules
    told: Told = field(default_factory=Told)

    def __post_init__(self) -> None:
        """Open it."""
        policy = JobPolicy(Room(2**20, 10), timedelta(minutes=1), 30.0, AudioLimits(), self.rules, SECRET)
        self.queue = JobQueue(MemoryJobStore(time.time), policy)

    async def cancelled(self, url: str) -> Job:
        """Send a job and cancel it."""
        order = JobOrder(options=TranscriptionOptions(), rendering=Rendering("text"))
        job = await self.queue.submit(Sender("anna", Consumer("key:a")), order, io.BytesIO(SOUND), url)
        await self.queue.cancel(job)
        return job

    async def told_of(self, url: str) -> JobWebhook:
        """Let the webhook be called until that is over."""
        job = await self.cancelled(url)
        caller = Caller(self.queue.policy.destinations)
        teller = Teller(self.queue, caller, lambda identity: {"self": identity}, self.told, pause=lambda _: 0.0)
        for _ in range(MOST_TRIES):
            await teller.look()
        await caller.close()
        webhook = (await self.queue.find(job.id, None)).webhook
        assert webhook is not None
        return webhook


def office(kept: Receiver) -> Office:
    return Office(DestinationRules.of([f"localhost:{kept.port}"], LOOPBACK, plain_http=True))


def test_a_webhook_is_tried_again_until_it_is_taken() -> None:
    with receiver(500, 500, 200) as kept:
        shop = office(kept)
        webhook = asyncio.run(shop.told_of(f"http://localhost:{kept.port}/"))
        assert (webhook.status, webhook.tries, webhook.problem) == (WebhookStatus.DELIVERED, 3, None)
        assert shop.told.outcomes == ["retried", "retried", "delivered"]
        assert len({headers["webhook-id"] for _, headers, _ in kept.received}) == 1


def test_a_webhook_that_nobody_takes_is_given_up() -> None:
    with receiver(503) as kept:
        shop = office(kept)
        webhook = asyncio.run(shop.told_of(f"http://localhost:{kept.port}/"))
        assert (webhook.status, webhook.tries, webhook.problem) == (WebhookStatus.FAILED, MOST_TRIES, "status 503")
        assert shop.told.outcomes == ["retried"] * (MOST_TRIES - 1) + ["failed"]


def test_a_destination_that_was_taken_off_the_list_is_not_called() -> None:
    async def work() -> JobWebhook:
        shop = office(kept)
        job = await shop.cancelled(f"http://localhost:{kept.port}/")
        shop.queue.policy = shop.queue.policy._replace(destinations=DestinationRules())
        caller = Caller(shop.queue.policy.destinations)
        await Teller(shop.queue, caller, lambda _: {}, shop.told).look()
        await caller.close()
        webhook = (await shop.queue.find(job.id, None)).webhook
        assert webhook is not None
        return webhook

    with receiver() as kept:
        webhook = asyncio.run(work())
        assert webhook.problem == "the destination is not allowed any more"
        assert kept.received == []


def test_a_job_whose_webhook_is_not_allowed_is_not_taken_in() -> None:
    with pytest.raises(UnsupportedField):
        asyncio.run(Office(DestinationRules()).cancelled("https://a.example/"))
    rules = DestinationRules.of(["b.example"], [], plain_http=False)
    with pytest.raises(InvalidRequest):
        asyncio.run(Office(rules).cancelled("https://a.example/"))
