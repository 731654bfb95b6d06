"""Whom a full replica asks."""

from collections import Counter

from tests.support.clock import FakeClock
from tests.unit.whisper_inference.replicas.test_notices import notice
from whisper_inference.replicas.peers import HEARD_FOR_SECONDS, Peers


def chosen(peers: Peers, audio_seconds: float = 30, without: tuple[str, ...] = ()) -> str | None:
    peer = peers.least_loaded(audio_seconds, without)
    return None if peer is None else peer.name


def test_the_one_that_would_begin_first_is_asked_however_much_audio_it_has() -> None:
    peers = Peers(FakeClock())
    peers.hear([notice(name="cpu", pending=10, real_time_factor=1), notice(name="gpu", pending=30)])
    assert chosen(peers) == "cpu"
    peers.hear([notice(name="cpu", pending=10, real_time_factor=1), notice(name="gpu", pending=19)])
    assert chosen(peers) == "gpu"


def test_who_has_no_room_or_was_asked_already_is_passed_over() -> None:
    peers = Peers(FakeClock())
    peers.hear([notice(name="full", pending=50, real_time_factor=0), notice(name="busy", pending=20), notice(name="b")])
    assert chosen(peers) == "b"
    assert chosen(peers, without=("b",)) == "busy"
    assert chosen(peers, without=("b", "busy")) is None


def test_what_was_sent_counts_until_the_next_notices_show_it() -> None:
    peers = Peers(FakeClock())
    peers.hear([notice(name="one"), notice(name="two", pending=20)])
    peers.promise("one", 45)
    assert chosen(peers) == "two"
    peers.hear([notice(name="one"), notice(name="two", pending=20)])
    assert chosen(peers) == "one"


def test_of_equals_each_is_asked_at_times() -> None:
    peers = Peers(FakeClock())
    peers.hear([notice(name=name) for name in "abc"])
    assert Counter(chosen(peers) for _ in range(200)).keys() == set("abc")


def test_what_was_heard_long_ago_is_forgotten() -> None:
    clock = FakeClock()
    peers = Peers(clock)
    peers.hear([notice()])
    clock.advance(HEARD_FOR_SECONDS)
    assert chosen(peers) == "one"
    clock.advance(0.1)
    assert chosen(peers) is None
    assert peers.known == ()


def test_the_one_with_the_most_room_for_streams_is_named_while_it_is_heard_of() -> None:
    clock = FakeClock()
    peers = Peers(clock)
    assert peers.roomiest() is None
    peers.hear([notice(name="full"), notice(name="some", free_streams=2), notice(name="most", free_streams=9)])
    found = peers.roomiest()
    assert found is not None
    assert found.name == "most"
    clock.advance(HEARD_FOR_SECONDS + 1)
    assert peers.roomiest() is None
