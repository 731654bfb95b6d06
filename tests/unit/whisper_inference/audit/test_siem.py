"""Events reach a SIEM: by syslog over real TLS, and by HTTP; one that is away gets them when it is back."""

import asyncio
import json
import re
from pathlib import Path

import pytest
import trustme

from tests.support.audit import Counts, event
from tests.support.patience import until
from tests.support.receivers import Collector, collector, syslog_receiver
from whisper_inference.audit.delivery import Delivery
from whisper_inference.audit.events import Action, AuditEvent, Outcome
from whisper_inference.audit.http_sink import HttpSink, check_url
from whisper_inference.audit.sinks import AuditSink, SinkUnavailable
from whisper_inference.audit.syslog_sink import SyslogAddress, SyslogSink, frame, make_tls, message, parse_address
from whisper_inference.errors import InvalidSettings
from whisper_operator.play.ports import free_port

HEAD = re.compile(
    rb"<(?P<priority>\d+)>1 (?P<time>\S+) (?P<host>\S+) (?P<application>\S+) (?P<process>\d+) (?P<id>\S+) - "
    rb"\xef\xbb\xbf(?P<text>.*)",
    re.DOTALL,
)


@pytest.fixture
def authority() -> trustme.CA:
    """An authority that only this test trusts."""
    return trustme.CA()


@pytest.fixture
def authority_file(authority: trustme.CA, tmp_path: Path) -> Path:
    """Its certificate."""
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    return tmp_path / "ca.crt"


async def deliver(sink: AuditSink, *events: AuditEvent) -> Counts:
    """Bring events to a sink as a server does."""
    counts = Counts()
    delivery = Delivery(sink, counts, first_pause_seconds=0.02)
    for each in events:
        delivery.offer(each)
    delivery.start()
    await delivery.close(20)
    return counts


def test_a_message_is_as_rfc_5424_writes_it() -> None:
    found = HEAD.fullmatch(message(event(), "pod-1"))
    assert found is not None
    assert found["priority"] == b"109"  # facility 13, severity 5
    assert (found["time"], found["host"]) == (b"2026-11-25T12:00:00.000+00:00", b"pod-1")
    assert (found["application"], found["id"]) == (b"whisper-inference", b"login")
    assert json.loads(found["text"])["event"]["action"] == "login"
    failed = HEAD.fullmatch(message(event(outcome=Outcome.FAILURE), "a host\n"))
    assert failed is not None
    assert (failed["priority"], failed["host"]) == (b"108", b"ahost")


def test_a_frame_counts_bytes_and_not_characters() -> None:
    assert frame("ä".encode()) == b"2 \xc3\xa4"


def test_events_arrive_over_tls_and_again_after_the_receiver_has_hung_up(
    authority: trustme.CA, authority_file: Path
) -> None:
    async def work() -> None:
        async with syslog_receiver(authority) as receiver:
            sink = SyslogSink(SyslogAddress("127.0.0.1", receiver.port), make_tls(authority_file), "pod-1")
            events = [event(), event(Action.LOGOUT), event(Action.TRANSCRIPTION)]
            await sink.send(events[:2])
            await until(lambda: len(receiver.messages) == 2)
            receiver.hang_up()
            await asyncio.sleep(0.1)  # the end of a connection takes its time over loopback, too
            await sink.send(events[2:])
            await until(lambda: len(receiver.messages) == 3)
            await sink.close()
            found = [HEAD.fullmatch(each) for each in receiver.messages]
            assert [each["id"] for each in found if each] == [b"login", b"logout", b"transcription"]

    asyncio.run(work())


def test_a_receiver_that_comes_late_gets_everything(authority: trustme.CA, authority_file: Path) -> None:
    async def work() -> None:
        port = free_port()
        sink = SyslogSink(SyslogAddress("127.0.0.1", port), make_tls(authority_file), "pod-1")
        delivering = asyncio.create_task(deliver(sink, *(event(seconds=number) for number in range(150))))
        await asyncio.sleep(0.1)
        async with syslog_receiver(authority, port) as receiver:
            counts = await delivering
            await until(lambda: len(receiver.messages) == 150)
        assert counts.by == {("syslog", "delivered"): 150}

    asyncio.run(work())


def test_a_receiver_that_nobody_vouches_for_gets_nothing(authority: trustme.CA, tmp_path: Path) -> None:
    other = tmp_path / "other.crt"
    trustme.CA().cert_pem.write_to_path(other)

    async def work() -> None:
        async with syslog_receiver(authority) as receiver:
            for trusted in (other, None):
                sink = SyslogSink(SyslogAddress("127.0.0.1", receiver.port), make_tls(trusted), "pod-1")
                with pytest.raises(SinkUnavailable):
                    await sink.send([event()])
            assert receiver.messages == []

    asyncio.run(work())


def test_an_address_has_a_host_and_perhaps_a_port() -> None:
    assert parse_address("syslog+tls://siem.example.org") == ("siem.example.org", 6514)
    assert parse_address("syslog+tls://[::1]:601") == ("::1", 601)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "siem:6514",
        "syslog://siem",
        "syslog+tls://",
        "syslog+tls://siem:x",
        "syslog+tls://u:p@siem",
        "syslog+tls://s/a",
    ],
)
def test_an_address_that_means_nothing_is_refused(address: str) -> None:
    with pytest.raises(InvalidSettings, match="write syslog"):
        parse_address(address)


def test_an_authority_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("nonsense")
    for file in (tmp_path / "ca.crt", tmp_path / "nowhere"):
        with pytest.raises(InvalidSettings, match=file.name):
            make_tls(file)


def test_a_collector_that_fails_and_recovers_gets_everything_once(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a-token\n")

    async def work() -> Collector:
        async with collector(503, 401, 429, 200) as collecting:
            counts = await deliver(HttpSink(collecting.url, token, "pod-1"), event(), event(Action.LOGOUT))
            assert counts.by == {("http", "delivered"): 2}
            return collecting

    collecting = asyncio.run(work())
    assert [each["event"]["action"] for each in collecting.events] == ["login", "logout"]
    assert collecting.authorizations == ["bearer a-token"]
    assert collecting.requests == 4


def test_a_batch_that_a_collector_will_never_take_is_given_up() -> None:
    async def work() -> None:
        async with collector(400) as collecting:
            counts = await deliver(HttpSink(collecting.url, None, "pod-1"), event())
            assert counts.by == {("http", "refused"): 1}
            assert collecting.requests == 1

    asyncio.run(work())


def test_a_collector_that_is_not_there_is_waited_for() -> None:
    async def work() -> None:
        sink = HttpSink(f"http://127.0.0.1:{free_port()}/", None, "pod-1")
        with pytest.raises(SinkUnavailable):
            await sink.send([event()])
        await sink.close()

    asyncio.run(work())


@pytest.mark.parametrize(
    ("url", "has_token", "sentence"),
    [
        ("ftp://siem", False, "write https"),
        ("siem", False, "write https"),
        ("https://user:secret@siem", False, "write https"),
        ("https://siem:x", False, "write https"),
        ("http://siem/events", True, "only https"),
        ("https://siem/events", True, None),
        ("http://siem/events", False, None),
        ("http://localhost/events", True, None),
    ],
)
def test_a_token_goes_only_where_nobody_listens(url: str, sentence: str | None, *, has_token: bool) -> None:
    if sentence is None:
        check_url(url, has_token=has_token)
        return
    with pytest.raises(InvalidSettings, match=sentence) as refused:
        check_url(url, has_token=has_token)
    assert "secret" not in str(refused.value)
