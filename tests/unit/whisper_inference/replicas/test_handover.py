"""One replica after another is asked, until one answers."""

import asyncio
import time
from collections.abc import Callable, Sequence
from io import BytesIO

import httpx
import pytest

from tests.unit.whisper_inference.replicas.test_notices import notice
from whisper_contract.surface import HANDOFF_HEADER, HandoffOutcome
from whisper_inference.replicas.form import Form
from whisper_inference.replicas.handover import Handover, Letter
from whisper_inference.replicas.notices import GroupKey
from whisper_inference.replicas.peers import Peers

KEY = GroupKey(b"one secret")
FULL = {"error": {"code": "overloaded"}}


class Told:
    """What an observer was told."""

    def __init__(self) -> None:
        self.outcomes: list[HandoffOutcome] = []

    def handed_over(self, outcome: HandoffOutcome) -> None:
        """Take an outcome in."""
        self.outcomes.append(outcome)


def offer(
    names: Sequence[str],
    answer: Callable[[httpx.Request], httpx.Response],
    key: GroupKey | None = KEY,
    late: Sequence[str] = (),
) -> tuple[httpx.Response | None, list[HandoffOutcome]]:
    """Offer a request to peers, each busier than the one before; of the late ones it is heard when it is asked."""
    told, peers = Told(), Peers(time.monotonic)

    def hear(*heard: str) -> None:
        peers.hear([notice(name=name, url=f"http://{name}:8000", pending=place) for place, name in enumerate(heard)])

    async def refresh() -> None:
        hear(*names, *late)

    hear(*names)
    letter = Letter("/v1/x?y=z", "Bearer k", {"X-Request-Id": "7"}, Form(BytesIO(b"RIFF"), {"model": ["base"]}), 30.0)

    async def whole() -> httpx.Response | None:
        handover = Handover(peers, refresh, lambda: key, httpx.AsyncClient(transport=httpx.MockTransport(answer)), told)
        try:
            return await handover.offer(letter)
        finally:
            await handover.close()

    return asyncio.run(whole()), told.outcomes


def test_the_request_goes_on_with_its_proof_and_its_body() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, text="spoken", headers={"content-type": "text/plain"})

    answered, outcomes = offer(["a"], answer)
    assert answered is not None
    assert answered.text == "spoken"
    assert outcomes == [HandoffOutcome.ANSWERED]
    (request,) = seen
    assert str(request.url) == "http://a:8000/v1/x?y=z"
    assert request.headers["X-Request-Id"] == "7"
    assert request.headers["Authorization"] == "Bearer k"
    assert KEY.proves(request.headers[HANDOFF_HEADER], "Bearer k", time.time())
    assert int(request.headers["Content-Length"]) == len(request.content)
    assert "Transfer-Encoding" not in request.headers


@pytest.mark.parametrize("status", [429, 503])
def test_who_has_no_room_after_all_or_stops_is_followed_by_the_next(status: int) -> None:
    answered, outcomes = offer(
        ["a", "b"], lambda request: httpx.Response(status if request.url.host == "a" else 200, json=FULL)
    )
    assert answered is not None
    assert answered.status_code == 200
    assert outcomes == [HandoffOutcome.REFUSED, HandoffOutcome.ANSWERED]


def test_who_does_not_know_the_path_is_followed_by_the_next() -> None:
    """Old names are off there."""
    unknown = {"error": {"type": "not_found_error", "code": "not_found"}}
    answered, outcomes = offer(
        ["a", "b"],
        lambda request: httpx.Response(404, json=unknown) if request.url.host == "a" else httpx.Response(200),
    )
    assert answered is not None
    assert answered.status_code == 200
    assert outcomes == [HandoffOutcome.REFUSED, HandoffOutcome.ANSWERED]


def test_who_cannot_be_reached_is_followed_by_the_next() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "a":
            raise httpx.ConnectError("gone")
        return httpx.Response(200)

    answered, outcomes = offer(["a", "b"], answer)
    assert answered is not None
    assert outcomes == [HandoffOutcome.FAILED, HandoffOutcome.ANSWERED]


def test_each_is_asked_once_and_then_the_client_is_refused() -> None:
    answered, outcomes = offer(["a", "b"], lambda _: httpx.Response(429, json=FULL))
    assert answered is None
    assert outcomes == [HandoffOutcome.REFUSED] * 2 + [HandoffOutcome.NOBODY]


@pytest.mark.parametrize(
    ("status", "code"), [(415, "unsupported_audio_format"), (429, "quota_exceeded"), (404, "model_not_found")]
)
def test_what_is_the_client_s_own_fault_the_peer_may_say(status: int, code: str) -> None:
    answered, outcomes = offer(["a", "b"], lambda _: httpx.Response(status, json={"error": {"code": code}}))
    assert answered is not None
    assert answered.status_code == status
    assert outcomes == [HandoffOutcome.ANSWERED]


def test_without_a_shared_key_nobody_is_asked() -> None:
    assert offer(["a"], lambda _: httpx.Response(200), None) == (None, [HandoffOutcome.NOBODY])


def test_before_anyone_is_refused_the_others_are_heard_of_once_more() -> None:
    answered, outcomes = offer(
        ["a"], lambda request: httpx.Response(429 if request.url.host == "a" else 200, json=FULL), late="b"
    )
    assert answered is not None
    assert outcomes == [HandoffOutcome.REFUSED, HandoffOutcome.ANSWERED]
