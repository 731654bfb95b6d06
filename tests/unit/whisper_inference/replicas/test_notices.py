"""What replicas believe of one another: only what one of them has signed, lately."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisper_inference.replicas.notices import GroupKey, Notice

NOW: Final = 1_800_000_000.0
KEY: Final = GroupKey(b"one secret")
OTHER: Final = GroupKey(b"another secret")


def notice(**fields: object) -> Notice:
    """A notice of a replica that does nothing."""
    usual = {"name": "one", "url": "http://10.0.0.1:8000", "pending": 0, "capacity": 60, "real_time_factor": 0.5}
    return Notice.model_validate(usual | {"free_streams": 0, "sent": NOW} | fields)


def test_a_notice_of_the_group_is_read() -> None:
    assert KEY.open(KEY.seal(notice()), NOW + 1) == notice()


def test_a_notice_of_somebody_else_is_not() -> None:
    assert OTHER.open(KEY.seal(notice()), NOW) is None


@pytest.mark.parametrize("later", [-61, 61])
def test_a_notice_that_is_shown_again_much_later_counts_for_nothing(later: float) -> None:
    assert KEY.open(KEY.seal(notice()), NOW + later) is None


@given(st.binary(max_size=200))
def test_whatever_lies_on_the_board_is_no_notice(garbage: bytes) -> None:
    assert KEY.open(garbage, NOW) is None


def test_what_is_signed_and_no_notice_is_none_either() -> None:
    assert KEY.open(KEY.prove("Bearer x", NOW).encode(), NOW) is None


def test_a_proof_is_good_for_its_credential_and_a_minute() -> None:
    proof = KEY.prove("Bearer one", NOW)
    assert KEY.proves(proof, "Bearer one", NOW + 59)
    assert not KEY.proves(proof, "Bearer two", NOW)
    assert not KEY.proves(proof, "Bearer one", NOW + 62)
    assert not OTHER.proves(proof, "Bearer one", NOW)


@given(st.text(max_size=200))
def test_nothing_that_a_client_makes_up_is_a_proof(made_up: str) -> None:
    assert not KEY.proves(made_up, "Bearer one", NOW)


def test_a_sealed_notice_is_no_proof() -> None:
    assert not KEY.proves(KEY.seal(notice()).decode(), "", NOW)


def test_replicas_meet_where_key_and_words_are_the_same() -> None:
    assert KEY.group("1", "base") == GroupKey(b"one secret").group("1", "base")
    assert len({KEY.group("1", "base"), KEY.group("2", "base"), OTHER.group("1", "base")}) == 3


@pytest.mark.parametrize(
    ("pending", "promised", "fits"), [(0, 0, True), (30, 0, True), (31, 0, False), (0, 31, False), (30, 1, False)]
)
def test_room_is_as_in_the_backlog(pending: float, promised: float, fits: bool) -> None:  # noqa: FBT001 - a case
    assert notice(pending=pending).has_room(30, promised) is fits


def test_a_replica_with_nothing_to_do_takes_what_is_longer_than_its_queue() -> None:
    assert notice().has_room(600, 0)
